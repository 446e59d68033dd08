"""Resemblyzer's voice encoder, whose weights lie in its package: a d-vector (Wan et al. 2018, GE2E)."""

from __future__ import annotations

import numpy as np

from trainable.speech.audio import SAMPLE_RATE, resample


class ResemblyzerEncoder:
    """See `voice_encoder.VoiceEncoder`. On the CPU: 7 s take 0.03 s of one core."""

    def __init__(self) -> None:
        from resemblyzer import VoiceEncoder

        self._encoder = VoiceEncoder("cpu", verbose=False)

    def embed(self, wave: np.ndarray) -> np.ndarray:
        from resemblyzer import normalize_volume, sampling_rate
        from resemblyzer.hparams import audio_norm_target_dBFS

        heard = resample(wave.astype(np.float32), SAMPLE_RATE, sampling_rate)
        # The spectrogram is not of logarithms, so the level matters. The library brings quieter audio alone to its own
        # level; here louder audio comes to it as well, and a voice is as much itself at any level.
        levelled = normalize_volume(heard, audio_norm_target_dBFS)
        return self._encoder.embed_utterance(levelled.astype(np.float32))
