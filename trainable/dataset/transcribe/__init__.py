"""The room trainable/dataset/transcribe."""
