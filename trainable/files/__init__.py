"""The room trainable/files."""
