"""The room trainable/family."""
