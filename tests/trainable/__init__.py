"""The room tests/trainable."""
