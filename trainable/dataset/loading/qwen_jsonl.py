"""The JSONL of Qwen's own fine-tuning scripts: `audio`, `text`, `ref_audio`, and optional `audio_codes`, `language`.

Relative paths count from the file's folder. Absolute paths are common in these files; they are accepted inside that
folder only, so that a file from someone else cannot name other files of this machine.
"""

from pathlib import Path

from trainable.dataset.listing import Listing
from trainable.dataset.loading.json_lines import HELD_OUT_NAMES, Keys, read_lines
from trainable.dataset.source import Source
from trainable.dataset.user_files import files_in

AUDIO_KEY = "audio"


def choose_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """The JSONL files to train on and to hold out. More than one of either means that the choice is ambiguous."""
    files = files_in(folder, (".jsonl",))
    held_out = [path for path in files if _stem(path) in HELD_OUT_NAMES]
    training = [path for path in files if path not in held_out]
    train = [path for path in training if _stem(path) == "train"]
    return _latest_step(train or training), _latest_step(held_out)


def read_qwen_jsonl(files: list[tuple[Path, bool]], source: Source) -> Listing:
    """`files`: each with whether it is held out."""
    listing = Listing(files[0][0].parent, needs_reference_text=False)
    keys = Keys.of(source, AUDIO_KEY)
    for path, held_out in files:
        read_lines(path, keys, listing, held_out)
    return listing


def _stem(path: Path) -> str:
    """The stem without the suffixes that Qwen's scripts add at each step."""
    return path.stem.removesuffix("_with_codes").removesuffix("_raw")


def _latest_step(files: list[Path]) -> list[Path]:
    """The files of the latest step: `train_raw` becomes `train_with_codes`; a stem without either is between them."""
    steps = [0 if path.stem.endswith("_with_codes") else 2 if path.stem.endswith("_raw") else 1 for path in files]
    return [path for path, step in zip(files, steps, strict=True) if step == min(steps)]
