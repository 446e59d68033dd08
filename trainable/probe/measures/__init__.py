"""The room trainable/probe/measures."""
