"""The room trainable/dataset/loading."""
