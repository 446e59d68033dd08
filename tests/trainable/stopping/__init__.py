"""The room tests/trainable/stopping."""
