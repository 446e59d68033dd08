"""The room tests/trainable/probe/recordings."""
