"""The room tests/trainable/probe/criteria."""
