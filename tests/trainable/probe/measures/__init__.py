"""The room tests/trainable/probe/measures."""
