"""What tells voices apart without the model that speaks: it cannot have been trained to please this one."""

from __future__ import annotations

import difflib
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np

from spaces.errors import InputError
from trainable.speech.asr.model_config import read_config

RESEMBLYZER = "resemblyzer"
INSTALL = "pip install --no-deps resemblyzer==0.1.4 webrtcvad-wheels"
"""Without its dependencies: they name webrtcvad, which has to be compiled, and the rest is installed anyway."""

X_VECTOR = "ForXVector"
QWEN = "qwen3_tts"

PUBLISHED = {"microsoft/wavlm-base-plus-sv": 0.86, "microsoft/wavlm-base-sv": 0.86}
"""Least cosine of two recordings of one voice, as the model cards have it; they add that the best one depends on the
data. By hub id only: a folder may hold any weights."""


class SpeakerEncoder(Protocol):
    """Embeds a voice."""

    def embed(self, wave: np.ndarray) -> np.ndarray:
        """[samples] float32 at 24 kHz in which somebody speaks → [dimensions] float32, of any length.

        Two are compared by their cosine. Equal audio gives equal embeddings.
        """
        ...


def default_encoder() -> str | None:
    """The encoder that needs no checkpoint, where it is installed."""
    return RESEMBLYZER if find_spec(RESEMBLYZER) and find_spec("webrtcvad") else None


def check_voice_encoder(name: str) -> None:
    """Whether there is such an encoder; no weights are loaded, of a hub id one file is fetched.

    Raises InputError, with the remedy.
    """
    _kind(name)


def open_voice_encoder(name: str) -> SpeakerEncoder:
    """`resemblyzer`, an x-vector checkpoint of transformers by hub id or folder, or the folder of a Qwen3-TTS
    checkpoint, whose speaker encoder alone is loaded.

    Raises InputError as `check_voice_encoder`, and for weights that cannot be had or read. Nothing of a checkpoint is
    executed.
    """
    kind = _kind(name)
    if kind == RESEMBLYZER:
        from trainable.probe.speaker.resemblyzer_encoder import ResemblyzerEncoder

        return ResemblyzerEncoder()
    if kind == QWEN:
        from trainable.probe.speaker.qwen_encoder import QwenEncoder

        return QwenEncoder(Path(name))
    from trainable.probe.speaker.xvector import open_xvector

    return open_xvector(name)


def _kind(name: str) -> str:
    """One of the three."""
    if name == RESEMBLYZER and not Path(name).is_dir():
        if default_encoder() is None:
            raise InputError(f"voice encoder {RESEMBLYZER}: not installed; {INSTALL}")
        return RESEMBLYZER
    if "/" not in name and not (name and Path(name).is_dir()):
        hint = f"; did you mean {RESEMBLYZER}?" if difflib.get_close_matches(name, [RESEMBLYZER]) else ""
        raise InputError(
            f"voice encoder {name!r}: expected {RESEMBLYZER}, an x-vector checkpoint by hub id (NAME/MODEL) or folder, "
            f"or the folder of a Qwen3-TTS checkpoint{hint}"
        )
    config = read_config(name)
    if any(str(each).endswith(X_VECTOR) for each in config.get("architectures") or ()):
        return X_VECTOR
    if config.get("model_type") != QWEN:
        raise InputError(
            f"voice encoder {name}: expected an architecture that ends in {X_VECTOR}, or a Qwen3-TTS checkpoint, got "
            f"model_type {config.get('model_type')} with architectures {config.get('architectures')}; use one such as "
            "microsoft/wavlm-base-plus-sv"
        )
    if not Path(name).is_dir():
        raise InputError(f"voice encoder {name}: of a Qwen3-TTS checkpoint expected a folder; download it first")
    return QWEN
