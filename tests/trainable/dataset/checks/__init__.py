"""The room tests/trainable/dataset/checks."""
