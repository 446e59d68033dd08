"""The room tests/trainable/speech/text."""
