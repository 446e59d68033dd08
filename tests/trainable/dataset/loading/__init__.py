"""The room tests/trainable/dataset/loading."""
