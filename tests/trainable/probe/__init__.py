"""The room tests/trainable/probe."""
