"""Resemblyzer's speaker encoder, a d-vector (Wan et al. 2018, GE2E) whose weights are part of its package."""

import numpy as np

from trainable.speech.audio import SAMPLE_RATE, resample


class ResemblyzerEncoder:
    """See `encoder.SpeakerEncoder`. Runs on the CPU: 7 s take 0.03 s of one core."""

    def __init__(self) -> None:
        from resemblyzer import VoiceEncoder

        self._encoder = VoiceEncoder("cpu", verbose=False)

    def embed(self, wave: np.ndarray) -> np.ndarray:
        from resemblyzer import normalize_volume, sampling_rate
        from resemblyzer.hparams import audio_norm_target_dBFS

        resampled = resample(wave.astype(np.float32), SAMPLE_RATE, sampling_rate)
        # The spectrogram is linear, so the level matters. The library normalises quieter audio only; this normalises
        # louder audio too, so that the embedding does not depend on the level.
        levelled = normalize_volume(resampled, audio_norm_target_dBFS)
        return self._encoder.embed_utterance(levelled.astype(np.float32))
