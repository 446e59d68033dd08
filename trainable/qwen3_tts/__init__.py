"""Qwen3-TTS, 0.6B and 1.7B Base. `family.py` implements `trainable.family.protocol.Family`."""
