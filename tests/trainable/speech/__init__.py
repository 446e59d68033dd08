"""The room tests/trainable/speech."""
