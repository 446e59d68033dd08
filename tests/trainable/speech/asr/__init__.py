"""The room tests/trainable/speech/asr."""
