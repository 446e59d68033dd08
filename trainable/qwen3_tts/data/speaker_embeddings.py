"""Speaker embeddings of recordings, kept by their bytes: only what is missing needs the speaker encoder."""

from __future__ import annotations

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
from trainable.qwen3_tts.data.codec import steady_arithmetic
from trainable.speech.audio import SAMPLE_RATE, read_audio

EMBEDDING = "embedding"
SHORTEST_SAMPLES = SAMPLE_RATE // 4
"""Shorter recordings are repeated, which the encoder's own padding needs."""


class QwenSpeakerEncoder:
    """A checkpoint's speaker encoder alone, in the precision in which `load_base` would have it."""

    def __init__(self, checkpoint: Path, device: torch.device) -> None:
        config = Qwen3TTSConfig.from_pretrained(str(checkpoint))
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        encoder = Qwen3TTSSpeakerEncoder(config.speaker_encoder_config)
        encoder.load_state_dict(speaker_encoder_weights(checkpoint))
        # What the library's method reads of the whole model.
        self._model = SimpleNamespace(
            speaker_encoder=encoder.to(device, dtype).eval().requires_grad_(False), device=device, dtype=dtype
        )

    def embed(self, wave: np.ndarray) -> Tensor:
        """wave: [samples] float32 at 24 kHz → [hidden] float32 on the CPU, as `extract_speaker_embedding` has it."""
        heard = np.tile(wave, -(-SHORTEST_SAMPLES // max(1, wave.size)))
        with steady_arithmetic():
            embedding = Qwen3TTSForConditionalGeneration.extract_speaker_embedding(self._model, heard, SAMPLE_RATE)
        return embedding.float().cpu().contiguous()


def embeddings(clips: Sequence[Clip], checkpoint: Path, device: torch.device, folder: Path) -> Tensor:
    """[clips, hidden] float32, taken from `folder` where it has them, and left there.

    Raises InputError as a recording does, and where the folder cannot be read or written.
    """
    encoder: QwenSpeakerEncoder | None = None
    rows = []
    for clip in clips:
        path = folder / f"{clip.measures.sha256}.safetensors"
        embedding = _kept(path)
        if embedding is None:
            encoder = encoder or QwenSpeakerEncoder(checkpoint, device)
            embedding = encoder.embed(read_audio(clip.audio))
            with cache_errors(folder), atomic_file(path) as beside:
                save_file({EMBEDDING: embedding}, beside)
        rows.append(embedding)
    return torch.stack(rows)


def _kept(path: Path) -> Tensor | None:
    """None where there is none, or it cannot be read as one."""
    try:
        return load_file(path)[EMBEDDING]
    except (OSError, SafetensorError, KeyError):
        return None
