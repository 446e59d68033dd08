"""Resemblyzer's voice encoder, whose weights lie in its package: a d-vector (Wan et al. 2018, GE2E)."""

from __future__ import annotations

import numpy as np

from trainable.audio import SAMPLE_RATE, resample


class ResemblyzerEncoder:
    """See `voice_encoder.VoiceEncoder`. On the CPU: 7 s take 0.03 s of one core."""

    def __init__(self) -> None:
        from resemblyzer import VoiceEncoder

        self._encoder = VoiceEncoder("cpu", verbose=False)

    def embed(self, wave: np.ndarray) -> np.ndarray:
        from resemblyzer import normalize_volume, sampling_rate
        from resemblyzer.hparams import audio_norm_target_dBFS

        heard = resample(wave.astype(np.float32), SAMPLE_RATE, sampling_rate)
        # As the library's own preprocessing, but for its voice activity detection. The level matters: the spectrogram
        # is not of logarithms.
        louder = normalize_volume(heard, audio_norm_target_dBFS, increase_only=True)
        return self._encoder.embed_utterance(louder.astype(np.float32))
