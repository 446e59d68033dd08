"""Speaker embeddings of recordings, cached by the SHA-256 of each recording."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from qwen_tts.core.models.configuration_qwen3_tts import Qwen3TTSConfig
from qwen_tts.core.models.modeling_qwen3_tts import Qwen3TTSForConditionalGeneration, Qwen3TTSSpeakerEncoder
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from trainable.dataset.clip import Clip
from trainable.files.atomic import atomic_file
from trainable.qwen3_tts.checkpoint.fingerprint import speaker_encoder_weights
from trainable.qwen3_tts.data.code_store import cache_errors
from trainable.qwen3_tts.data.codec import deterministic_arithmetic
from trainable.speech.audio import SAMPLE_RATE, read_audio

EMBEDDING = "embedding"
SHORTEST_SAMPLES = SAMPLE_RATE // 4
"""Shorter recordings are repeated, because the encoder's reflect padding needs this length."""


class QwenSpeakerEncoder:
    """A checkpoint's speaker encoder without the talker, in the precision that `load_base` gives it."""

    def __init__(self, checkpoint: Path, device: torch.device) -> None:
        config = Qwen3TTSConfig.from_pretrained(str(checkpoint))
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        encoder = Qwen3TTSSpeakerEncoder(config.speaker_encoder_config)
        encoder.load_state_dict(speaker_encoder_weights(checkpoint))
        # The attributes of the whole model that the library's method reads.
        self._model = SimpleNamespace(
            speaker_encoder=encoder.to(device, dtype).eval().requires_grad_(False), device=device, dtype=dtype
        )

    def embed(self, wave: np.ndarray) -> Tensor:
        """wave: [samples] float32 at 24 kHz → [hidden] float32 on the CPU, equal to `extract_speaker_embedding`."""
        padded = repeat_to_minimum(wave)
        with deterministic_arithmetic():
            embedding = Qwen3TTSForConditionalGeneration.extract_speaker_embedding(self._model, padded, SAMPLE_RATE)
        return embedding.float().cpu().contiguous()


def repeat_to_minimum(wave: np.ndarray) -> np.ndarray:
    """Repeats a wave of less than a quarter of a second. wave: [samples] float32 at 24 kHz."""
    return np.tile(wave, -(-SHORTEST_SAMPLES // max(1, wave.size)))


def speaker_embeddings(clips: Sequence[Clip], checkpoint: Path, device: torch.device, folder: Path) -> Tensor:
    """Embeds each clip → [clips, hidden] float32. `folder` is the cache.

    Raises InputError for audio that cannot be read, and for a folder that cannot be written.
    """
    encoder: QwenSpeakerEncoder | None = None
    rows = []
    for clip in clips:
        path = folder / f"{clip.measures.sha256}.safetensors"
        embedding = _read_cached(path)
        if embedding is None:
            encoder = encoder or QwenSpeakerEncoder(checkpoint, device)
            embedding = encoder.embed(read_audio(clip.audio))
            with cache_errors(folder), atomic_file(path) as temporary:
                save_file({EMBEDDING: embedding}, temporary)
        rows.append(embedding)
    return torch.stack(rows)


def _read_cached(path: Path) -> Tensor | None:
    """Returns None if there is no such file, or if it cannot be read."""
    try:
        return load_file(path)[EMBEDDING]
    except (OSError, SafetensorError, KeyError):
        return None
