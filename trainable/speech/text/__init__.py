"""The room trainable/speech/text."""
