"""The room trainable/stages."""
