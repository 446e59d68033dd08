"""The room tests/trainable/probe/speaker."""
