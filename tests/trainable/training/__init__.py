"""The room tests/trainable/training."""
