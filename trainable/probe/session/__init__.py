"""The room trainable/probe/session."""
