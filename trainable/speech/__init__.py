"""The room trainable/speech."""
