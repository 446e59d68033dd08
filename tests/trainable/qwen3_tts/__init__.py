"""The room tests/trainable/qwen3_tts."""
