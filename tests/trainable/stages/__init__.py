"""The room tests/trainable/stages."""
