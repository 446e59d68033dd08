"""Codes to audio and audio to a speaker embedding, by the codec and the speaker encoder of a loaded model."""

import numpy as np
from qwen_tts import Qwen3TTSModel
from torch import Tensor

from trainable.qwen3_tts.data.speaker_embeddings import repeat_to_minimum
from trainable.speech.audio import SAMPLE_RATE


def decode_codes(tts: Qwen3TTSModel, codes: Tensor) -> np.ndarray:
    """codes: [frames, 16] int64 → [samples] float32 at 24 kHz."""
    waves, _ = tts.model.speech_tokenizer.decode([{"audio_codes": codes.to(tts.model.device)}])
    return np.asarray(waves[0], dtype=np.float32)


def speaker_embedding(tts: Qwen3TTSModel, wave: np.ndarray) -> np.ndarray:
    """wave: [samples] float32 at 24 kHz → [hidden] float32. A wave below a quarter of a second is repeated."""
    return tts.model.extract_speaker_embedding(repeat_to_minimum(wave), SAMPLE_RATE).float().cpu().numpy()
