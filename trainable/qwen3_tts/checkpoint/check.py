"""Checks a checkpoint before anything heavy is loaded. No torch.

`check_model` takes a hub id or a folder and returns the folder of a complete Qwen3-TTS Base checkpoint.
"""

import json
import re
from pathlib import Path

from safetensors import safe_open

from spaces.errors import InputError
from spaces.qwen3_tts import TARGETS, QwenPackShape

REQUIRED_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "preprocessor_config.json",
    "speech_tokenizer/config.json",
    "speech_tokenizer/preprocessor_config.json",
)
"""Files of the published layout that loading reads, apart from the weights."""
PACKABLE = re.compile(TARGETS["all-linear"])
"""The linear layers of both transformers. A forward pass calls each of them once, with the same number of rows per
seat. Embeddings, heads and text_projection are not called that way."""
TALKER_PREFIX = "talker."
AUTO_MAP = "auto_map"
"""Key by which a configuration of transformers names Python classes that come with the checkpoint."""
CODEC_TYPES = ("qwen3_tts_tokenizer_12hz", "qwen3_tts_tokenizer_25hz", "mel_codec")
"""Codec types that qwen-tts registers, and the demo's own."""
PUBLISHED_LANGUAGES = (
    "chinese", "english", "french", "german", "italian", "japanese", "korean", "portuguese", "russian", "spanish",
)  # fmt: skip
"""Of the published checkpoints, as their card lists them."""
BASE, CUSTOM_VOICE = ("qwen3_tts", "base"), ("qwen3_tts", "custom_voice")
"""Results of `checkpoint_type`."""


def check_model(model: str) -> str:
    """Returns the folder of a Qwen3-TTS Base checkpoint. A hub id is downloaded, or taken from the local cache.

    Raises InputError for a folder that is not such a checkpoint, and for a hub id that cannot be downloaded.
    """
    folder = Path(model) if Path(model).is_dir() else _download(model)
    found = checkpoint_type(folder, model)
    if found != BASE:
        raise InputError(
            f"{model}: expected model_type qwen3_tts and tts_model_type base, got {found[0]} and {found[1]}; "
            "use Qwen/Qwen3-TTS-12Hz-1.7B-Base, Qwen/Qwen3-TTS-12Hz-0.6B-Base or a folder of one"
        )
    check_files(folder, model)
    return str(folder)


def checkpoint_type(folder: Path, model: str) -> tuple[str | None, str | None]:
    """Returns (model_type, tts_model_type) of the checkpoint in `folder`. Messages call it `model`.

    Raises InputError if config.json is missing or unreadable.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"{model}: no readable config.json; expected a folder of a Qwen3-TTS Base checkpoint"
        ) from None
    return (config.get("model_type"), config.get("tts_model_type")) if isinstance(config, dict) else (None, None)


def known_languages(model: str) -> tuple[str, ...]:
    """The languages that a model knows, by English names: of a folder from its config.json, else those of the published
    models."""
    if not Path(model).is_dir():
        return PUBLISHED_LANGUAGES
    talker = _read_object(Path(model) / "config.json").get("talker_config")
    return tuple(talker.get("codec_language_id") or ()) if isinstance(talker, dict) else ()


def check_files(folder: Path, model: str) -> None:
    """Raises InputError if the folder lacks a file that loading reads, or if a file names Python code to run."""
    missing = [name for name in REQUIRED_FILES if not (folder / name).is_file()]
    missing += [f"{part or '.'}/*.safetensors" for part in ("", "speech_tokenizer") if not _has_weights(folder / part)]
    if missing:
        raise InputError(f"{model}: incomplete checkpoint, {', '.join(missing)} missing; download it again")
    for name in REQUIRED_FILES:
        if name.endswith(".json") and name != "vocab.json" and AUTO_MAP in _read_object(folder / name):
            raise InputError(
                f"{model}: {name} names code of its own ({AUTO_MAP}), which is never run; use a "
                "checkpoint in the published layout"
            )
    _check_codec(folder, model)


def _check_codec(folder: Path, model: str) -> None:
    """Raises InputError for a codec whose type is not registered."""
    codec = _read_object(folder / "speech_tokenizer/config.json").get("model_type")
    if codec not in CODEC_TYPES:
        raise InputError(
            f"{model}: speech_tokenizer/config.json: expected model_type {' or '.join(CODEC_TYPES)}, got {codec}; "
            "use a checkpoint in the published layout"
        )


def _read_object(path: Path) -> dict:
    """Returns a JSON object; empty if the file holds none, which loading reports."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def why_not_packed(model: str, shape: QwenPackShape) -> str | None:
    """See `trainable.family.protocol.Family.why_not_packed`. Raises InputError as `check_model` does."""
    for pattern in shape.targets:
        for module in _talker_modules(Path(check_model(model))):
            if re.fullmatch(pattern, module) and not PACKABLE.fullmatch(module):
                return f"targets {pattern!r} reach {module}, which is not a linear layer of a transformer block"
    return None


def _talker_modules(folder: Path) -> list[str]:
    """Returns the names of the talker's modules that have a weight."""
    names: set[str] = set()
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="np") as file:
            names |= set(file.keys())
    suffix = ".weight"
    return sorted(
        name.removeprefix(TALKER_PREFIX).removesuffix(suffix)
        for name in names
        if name.startswith(TALKER_PREFIX) and name.endswith(suffix)
    )


def _has_weights(folder: Path) -> bool:
    return any(folder.glob("*.safetensors"))


def _download(model: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(model))
    except HFValidationError:
        raise InputError(
            f"{model}: neither an existing folder nor a hub id (OWNER/MODEL); give one of the two"
        ) from None
    except RepositoryNotFoundError:
        raise InputError(
            f"{model}: not on the hub, or private; check the name, or log in with `hf auth login`"
        ) from None
    except Exception as error:
        raise InputError(
            f"{model}: not a folder here, not in the local cache, and the hub cannot be reached "
            f"({type(error).__name__}); connect, or give --model a folder that holds the checkpoint"
        ) from None
