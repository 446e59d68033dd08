"""Whether a model can be trained here, and how, said before anything heavy is loaded. No torch."""

from __future__ import annotations

import json
import re
from pathlib import Path

from safetensors import safe_open

from spaces.draw import TARGETS
from spaces.errors import InputError
from spaces.records.pack_shape import PackShape

NEEDED = (
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "preprocessor_config.json",
    "speech_tokenizer/config.json",
    "speech_tokenizer/preprocessor_config.json",
)
"""Files of the published layout that loading reads, besides the weights."""
PACKABLE = re.compile(TARGETS["all-linear"])
"""The linear layers of both transformers. Each is called once per pass with equally many rows of every seat, which is
not so for embeddings, heads and text_projection."""
TALKER = "talker."
CODE = "auto_map"
"""Key under which configurations of transformers name classes that come with the checkpoint, as Python."""
CODECS = ("qwen3_tts_tokenizer_12hz", "qwen3_tts_tokenizer_25hz", "mel_codec")
"""Kinds that the library registers, and the project's own."""
BASE, CUSTOM_VOICE = ("qwen3_tts", "base"), ("qwen3_tts", "custom_voice")
"""Kinds of checkpoints, as `kind_of` tells them."""


def check_model(model: str) -> str:
    """The folder of a Qwen3-TTS Base checkpoint; a hub id is downloaded, or taken from the local cache.

    Raises InputError for a folder that is no such checkpoint, and for a hub id that cannot be had.
    """
    folder = Path(model) if Path(model).is_dir() else _download(model)
    kind = kind_of(folder, model)
    if kind != BASE:
        raise InputError(
            f"{model}: expected model_type qwen3_tts and tts_model_type base, got {kind[0]} and {kind[1]}; "
            "use Qwen/Qwen3-TTS-12Hz-1.7B-Base, Qwen/Qwen3-TTS-12Hz-0.6B-Base or a folder of one"
        )
    check_complete(folder, model)
    return str(folder)


def kind_of(folder: Path, model: str) -> tuple[str | None, str | None]:
    """The model_type and tts_model_type of a checkpoint's folder. `model` is what messages call it.

    Raises InputError where there is no config.json that says so.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"{model}: no readable config.json; expected a folder of a Qwen3-TTS Base checkpoint"
        ) from None
    return (config.get("model_type"), config.get("tts_model_type")) if isinstance(config, dict) else (None, None)


def check_complete(folder: Path, model: str) -> None:
    """Raises InputError when a file that loading reads is missing from a checkpoint's folder, and when one names code
    that loading would ask to run."""
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    missing += [f"{part or '.'}/*.safetensors" for part in ("", "speech_tokenizer") if not _has_weights(folder / part)]
    if missing:
        raise InputError(f"{model}: incomplete checkpoint, {', '.join(missing)} missing; download it again")
    for name in NEEDED:
        if name.endswith(".json") and name != "vocab.json" and CODE in _object(folder / name):
            raise InputError(
                f"{model}: {name} names code of its own ({CODE}), and nothing that a checkpoint brings is run; use a "
                "checkpoint in the published layout"
            )
    _check_codec(folder, model)


def _check_codec(folder: Path, model: str) -> None:
    """Raises InputError for a codec of no registered class."""
    codec = _object(folder / "speech_tokenizer/config.json").get("model_type")
    if codec not in CODECS:
        raise InputError(
            f"{model}: speech_tokenizer/config.json: expected model_type {' or '.join(CODECS)}, got {codec}; use a "
            "checkpoint in the published layout"
        )


def _object(path: Path) -> dict:
    """A JSON object; empty where it is none, which loading tells."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def why_not_packed(model: str, shape: PackShape) -> str | None:
    """See `trainable.family.protocol.Family.why_not_packed`. Raises InputError as `check_model` does."""
    for pattern in shape.targets:
        for module in _modules(Path(check_model(model))):
            if re.fullmatch(pattern, module) and not PACKABLE.fullmatch(module):
                return f"targets {pattern!r} reach {module}, which is no linear layer of a transformer block"
    return None


def _modules(folder: Path) -> list[str]:
    """Names of the talker's modules that have a weight."""
    names: set[str] = set()
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="np") as file:
            names |= set(file.keys())
    suffix = ".weight"
    return sorted(
        name.removeprefix(TALKER).removesuffix(suffix)
        for name in names
        if name.startswith(TALKER) and name.endswith(suffix)
    )


def _has_weights(folder: Path) -> bool:
    return any(folder.glob("*.safetensors"))


def _download(model: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(model))
    except HFValidationError:
        raise InputError(f"{model}: no such folder, and not a hub id (NAME/MODEL); give one of the two") from None
    except RepositoryNotFoundError:
        raise InputError(
            f"{model}: not on the hub, or private; check the name, or log in with `hf auth login`"
        ) from None
    except Exception as error:
        raise InputError(
            f"{model}: not a folder here, not in the local cache, and the hub cannot be reached "
            f"({type(error).__name__}); connect, or give --model a folder that holds the checkpoint"
        ) from None
