"""What can hear on this machine: folders, the Hugging Face cache and pocketsphinx. Loads no weights."""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from spaces.errors import InputError
from trainable.speech.asr.checkpoint_model import check_checkpoint
from trainable.speech.asr.ctc import adapter_languages
from trainable.speech.asr.ctranslate2 import is_faster_whisper
from trainable.speech.asr.model_config import read_config
from trainable.speech.asr.whisper import is_whisper

WEIGHTS = "*.safetensors", "pytorch_model*.bin", "model.bin"
"""Patterns of weight files; the first that a checkpoint has counts."""


@dataclass(frozen=True)
class RecogniserCheckpoint:
    """A recogniser with its weights on this machine."""

    name: str
    """A hub id, or a folder."""
    folder: Path
    bytes: int
    """Of its weights."""
    is_whisper: bool

    def hears(self, language: str | None) -> bool:
        """Whether it can be opened for this language, spelled as it spells it; None asks that it detect languages."""
        try:
            check_checkpoint(str(self.folder), language)
            if language is None and self.is_whisper:
                # An English-only Whisper refuses every other language.
                check_checkpoint(str(self.folder), "de")
        except InputError:
            return False
        if language is None:
            return self.is_whisper
        adapters = adapter_languages(str(self.folder))
        return not adapters or any(self.folder.glob(f"adapter.{language}.*"))


def checkpoint_here(name: str) -> RecogniserCheckpoint | None:
    """The recogniser of that hub id or folder; None where its weights are not on this machine."""
    if Path(name).is_dir():
        return _checkpoint(name, Path(name))
    folder = _hub_cache() / f"models--{name.replace('/', '--')}"
    try:
        commit = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return _checkpoint(name, folder / "snapshots" / commit)


def place_of(name: str, language: str | None) -> str:
    """The folder in the cache of a hub id whose weights for this language are there, else the name as it is.

    The libraries ask the hub about each file of a hub id, for minutes where it cannot be reached.
    """
    here = None if Path(name).is_dir() else checkpoint_here(name)
    return str(here.folder) if here and (language is None or here.hears(language)) else name


def cached_whispers() -> tuple[RecogniserCheckpoint, ...]:
    """Every Whisper in the Hugging Face cache with its weights, of transformers or CTranslate2."""
    names = [
        path.name.removeprefix("models--").replace("--", "/") for path in sorted(_hub_cache().glob("models--*--*"))
    ]
    found = [checkpoint_here(name) for name in names]
    return tuple(each for each in found if each is not None and each.is_whisper)


def has_pocketsphinx() -> bool:
    return find_spec("pocketsphinx") is not None


def _hub_cache() -> Path:
    from huggingface_hub import constants

    return Path(os.environ.get("HF_HUB_CACHE") or constants.HF_HUB_CACHE)


def _checkpoint(name: str, folder: Path) -> RecogniserCheckpoint | None:
    weights = next((found for pattern in WEIGHTS if (found := [*folder.glob(pattern)])), [])
    # An adapter of an MMS is no model.
    weights = [path for path in weights if not path.name.startswith("adapter.") and path.exists()]
    if not weights or not (folder / "config.json").is_file():
        return None
    config = read_config(str(folder))
    whisper = is_whisper(config) or (is_faster_whisper(config) and find_spec("faster_whisper") is not None)
    return RecogniserCheckpoint(name, folder, sum(path.stat().st_size for path in weights), whisper)
