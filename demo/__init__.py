"""Makes the demo: a miniature Qwen3-TTS checkpoint and a voice dataset, both from espeak-ng."""
