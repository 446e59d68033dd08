"""The room tests/trainable/family."""
