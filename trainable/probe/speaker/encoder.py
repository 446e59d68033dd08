"""Checks and opens a speaker encoder by name: not the speaking model's own, which the model may be fitted to."""

import difflib
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np

from spaces.errors import InputError
from trainable.speech.asr.model_config import read_config

RESEMBLYZER = "resemblyzer"
INSTALL = "pip install --no-deps resemblyzer==0.1.4 webrtcvad-wheels"
"""Without dependencies: they name webrtcvad, which has to be compiled, and the rest is installed anyway."""

X_VECTOR = "ForXVector"
QWEN3_TTS = "qwen3_tts"

PUBLISHED_THRESHOLDS = {"microsoft/wavlm-base-plus-sv": 0.86, "microsoft/wavlm-base-sv": 0.86}
"""Least cosine of two recordings of one voice, from the model cards, which add that the best threshold depends on the
data. By hub id only: a folder may hold any weights."""


class SpeakerEncoder(Protocol):
    """Embeds a voice."""

    def embed(self, wave: np.ndarray) -> np.ndarray:
        """[samples] float32 at 24 kHz with speech → [dimensions] float32, of any norm.

        Two embeddings are compared by their cosine. Equal audio gives equal embeddings.
        """
        ...


def default_encoder() -> str | None:
    """The name of the encoder that needs no checkpoint; None where it is not installed."""
    return RESEMBLYZER if find_spec(RESEMBLYZER) and find_spec("webrtcvad") else None


def check_speaker_encoder(name: str) -> None:
    """Checks that the encoder exists, without loading weights; of a hub id one file is downloaded.

    Raises InputError, with the remedy.
    """
    _kind(name)


def open_speaker_encoder(name: str) -> SpeakerEncoder:
    """Opens `resemblyzer`, an x-vector checkpoint of transformers (hub id or folder), or the speaker encoder alone of a
    Qwen3-TTS checkpoint (folder).

    Raises InputError as `check_speaker_encoder`, and for weights that cannot be found or read. No code of a checkpoint
    is executed.
    """
    kind = _kind(name)
    if kind == RESEMBLYZER:
        from trainable.probe.speaker.resemblyzer_encoder import ResemblyzerEncoder

        return ResemblyzerEncoder()
    if kind == QWEN3_TTS:
        from trainable.probe.speaker.qwen_encoder import QwenEncoder

        return QwenEncoder(Path(name))
    from trainable.probe.speaker.xvector import open_xvector

    return open_xvector(name)


def _kind(name: str) -> str:
    """`RESEMBLYZER`, `X_VECTOR` or `QWEN3_TTS`."""
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
    if config.get("model_type") != QWEN3_TTS:
        raise InputError(
            f"voice encoder {name}: expected an architecture that ends in {X_VECTOR}, or a Qwen3-TTS checkpoint, got "
            f"model_type {config.get('model_type')} with architectures {config.get('architectures')}; use one such as "
            "microsoft/wavlm-base-plus-sv"
        )
    if not Path(name).is_dir():
        raise InputError(f"voice encoder {name}: expected a folder for a Qwen3-TTS checkpoint; download it first")
    return QWEN3_TTS
