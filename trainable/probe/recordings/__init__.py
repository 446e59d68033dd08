"""The room trainable/probe/recordings."""
