"""Tests of trainable/qwen3_tts."""
