"""The room trainable/probe/speaker."""
