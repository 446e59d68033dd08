"""The JSONL of Qwen's own fine-tuning scripts: `audio`, `text`, `ref_audio`, and perhaps `audio_codes`, `language`.

Relative paths count from the file's folder. Absolute ones are common there; they are read where they lead into that
folder, and refused elsewhere, so that a file from somebody else cannot name what is none of its business.
"""

from __future__ import annotations

from pathlib import Path

from trainable.dataset.listing import Listing
from trainable.dataset.loading.json_lines import HELD_OUT_NAMES, Keys, read_lines
from trainable.dataset.source import Source
from trainable.dataset.user_files import is_file

AUDIO_KEY = "audio"


def choose_file(folder: Path) -> tuple[list[Path], list[Path]]:
    """Of a folder's JSONL files: the one that is trained on, and the one that is held out, each if there is one.

    More than one of either means that it cannot be told which is meant.
    """
    files = sorted(path for path in folder.glob("*.jsonl") if is_file(path))
    held_out = [path for path in files if _stem(path) in HELD_OUT_NAMES]
    training = [path for path in files if path not in held_out]
    named = [path for path in training if _stem(path) == "train"] or training
    return _furthest(named), _furthest(held_out)


def read_qwen_jsonl(files: list[tuple[Path, bool]], source: Source) -> Listing:
    """Each file with whether it is held out."""
    listing = Listing(files[0][0].parent, wants_words=False)
    keys = Keys.of(source, AUDIO_KEY)
    for path, held_out in files:
        read_lines(path, keys, listing, held_out)
    return listing


def _stem(path: Path) -> str:
    """Its name without the endings that the scripts give to their steps."""
    return path.stem.removesuffix("_with_codes").removesuffix("_raw")


def _furthest(files: list[Path]) -> list[Path]:
    """`train_raw` becomes `train_with_codes`; a file without either ending is between them."""
    steps = [0 if path.stem.endswith("_with_codes") else 2 if path.stem.endswith("_raw") else 1 for path in files]
    return [path for path, step in zip(files, steps, strict=True) if step == min(steps)]
