"""Reads the JSON files of a speech model's checkpoint, without its weights."""

import json
from pathlib import Path
from typing import Any

from spaces.errors import InputError
from trainable.speech.asr.hub import is_hub_reachable

CONFIG = "config.json"


def read_config(name: str) -> dict[str, Any]:
    """The config.json of a folder, or of a hub id, of which only that file is downloaded.

    Raises InputError when there is no such folder or id, the hub cannot be reached, or the file is not a JSON object.
    """
    try:
        config = _load_json(_locate(name, CONFIG))
    except FileNotFoundError:
        raise InputError(f"{name}: no readable {CONFIG}; expected a folder or hub id of a checkpoint") from None
    if not config:
        raise InputError(f"{name}: no readable {CONFIG}; download the checkpoint again")
    return config


def read_json(name: str, file: str) -> dict[str, Any]:
    """Another JSON object of the same checkpoint; empty without such a file. Raises InputError as `read_config`."""
    try:
        return _load_json(_locate(name, file))
    except FileNotFoundError:
        return {}


def loading_failed(name: str, error: Exception) -> InputError:
    """The error to raise for weights that a library could not load: its first line, or its type."""
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return InputError(f"{name}: cannot be loaded ({reason}); download the checkpoint again")


def _load_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _locate(name: str, file: str) -> Path:
    """The path of one file, of a hub id in the cache or else downloaded.

    Raises FileNotFoundError for a checkpoint of the hub without that file.
    """
    if Path(name).is_dir():
        return Path(name) / file
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        return Path(hf_hub_download(name, file, local_files_only=True))
    except LocalEntryNotFoundError:
        pass
    except HFValidationError:
        raise InputError(f"{name}: no such folder, and not a hub id (NAME/MODEL); give one of the two") from None
    unreachable = (
        f"{name}: not a folder here, not in the local cache, and the hub cannot be reached; connect, or name a folder "
        "that holds the checkpoint"
    )
    if not is_hub_reachable():
        raise InputError(unreachable)
    try:
        return Path(hf_hub_download(name, file))
    except RepositoryNotFoundError:
        raise InputError(
            f"{name}: not on the hub, or private; check the name, or log in with `hf auth login`"
        ) from None
    except Exception as error:
        if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
            raise FileNotFoundError(file) from None
        raise InputError(unreachable) from None
