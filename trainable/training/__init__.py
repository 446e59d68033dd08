"""The room trainable/training."""
