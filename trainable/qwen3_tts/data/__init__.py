"""The room trainable/qwen3_tts/data."""
