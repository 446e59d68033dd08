"""The room trainable/stopping."""
