"""The room tests/trainable/dataset/transcribe."""
