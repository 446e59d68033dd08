"""The room trainable/speech/asr."""
