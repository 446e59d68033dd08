"""The room trainable/probe/texts."""
