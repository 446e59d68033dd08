"""The room tests/trainable/files."""
