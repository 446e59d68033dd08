"""The room tests/trainable/probe/texts."""
