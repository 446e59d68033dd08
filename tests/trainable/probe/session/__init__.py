"""The room tests/trainable/probe/session."""
