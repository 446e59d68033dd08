"""The speaker encoder alone of a Qwen3-TTS checkpoint, which need not be the one that speaks."""

from pathlib import Path

import numpy as np

from spaces.errors import InputError


class QwenEncoder:
    """See `encoder.SpeakerEncoder`. Runs on the CPU, so that results do not depend on the machine's GPU."""

    def __init__(self, folder: Path) -> None:
        """Raises InputError for a checkpoint without a speaker encoder: only the base models have one."""
        import torch

        from trainable.qwen3_tts.data.speaker_embeddings import QwenSpeakerEncoder

        try:
            self._encoder = QwenSpeakerEncoder(folder, torch.device("cpu"))
        except Exception as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise InputError(
                f"{folder}: its speaker encoder cannot be loaded ({reason}); use a base model's folder, which has one"
            ) from None

    def embed(self, wave: np.ndarray) -> np.ndarray:
        return self._encoder.embed(wave.astype(np.float32)).numpy()
