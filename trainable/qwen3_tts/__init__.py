"""Qwen3-TTS, 0.6B and 1.7B Base. `family.py` has the verbs of `trainable.family.protocol.Family`."""
