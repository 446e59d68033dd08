"""The public guide's layout: `metadata.jsonl` with `audio_filepath` and `text`, `ref.wav`, `ref_text.txt`."""

from pathlib import Path

from trainable.dataset.formatting import printable
from trainable.dataset.listing import Listing
from trainable.dataset.loading.json_lines import HELD_OUT_NAMES, Keys, read_lines
from trainable.dataset.loading.source_files import warn_of_unnamed
from trainable.dataset.source import Source
from trainable.dataset.user_files import is_file

METADATA = "metadata.jsonl"
AUDIO_KEY = "audio_filepath"


def metadata_files(folder: Path) -> list[tuple[Path, bool]]:
    """The metadata files of a folder, each with whether its clips are held out: the folder's own, and those of
    `train/`, `val/`, `valid/` and `validation/`."""
    paths = [folder / METADATA, *(folder / name / METADATA for name in ("train", *HELD_OUT_NAMES))]
    return [(path, path.parent.name in HELD_OUT_NAMES and path.parent != folder) for path in paths if is_file(path)]


def read_guide(folder: Path, files: list[tuple[Path, bool]], source: Source) -> Listing:
    """`files`: each with whether it is held out. Clips in `val/` and the like are held out in any case."""
    listing = Listing(folder)
    keys = Keys.of(source, AUDIO_KEY)
    for path, held_out in files:
        read_lines(path, keys, listing, held_out)
    if not listing.rows and not listing.findings:
        names = " and ".join(printable(path) for path, _ in files)
        listing.error("no-clips", names, f"no clips; it holds no line with {keys.audio} and {keys.text}")
    warn_of_unnamed(listing, [path.parent for path, _ in files])
    return listing
