"""The room trainable/dataset/checks."""
