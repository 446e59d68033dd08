"""What a checkpoint's codec and speaker encoder make of recordings."""

from __future__ import annotations

import numpy as np
from qwen_tts import Qwen3TTSModel
from torch import Tensor

from trainable.speech.audio import SAMPLE_RATE


def ground_truth(tts: Qwen3TTSModel, codes: Tensor) -> np.ndarray:
    """codes: [frames, 16] int64 → [samples] float32 at 24 kHz."""
    waves, _ = tts.model.speech_tokenizer.decode([{"audio_codes": codes.to(tts.model.device)}])
    return np.asarray(waves[0], dtype=np.float32)


def speaker_embedding(tts: Qwen3TTSModel, wave: np.ndarray) -> np.ndarray:
    """wave: [samples] float32 at 24 kHz → [dimensions] float32.

    At least a quarter second is heard: shorter waves are repeated, which the encoder's own padding needs.
    """
    repeats = -(-SAMPLE_RATE // 4 // max(1, wave.size))
    return tts.model.extract_speaker_embedding(np.tile(wave, repeats), SAMPLE_RATE).float().cpu().numpy()
