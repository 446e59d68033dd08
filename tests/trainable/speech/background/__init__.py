"""The room tests/trainable/speech/background."""
