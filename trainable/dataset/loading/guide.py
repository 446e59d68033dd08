"""The public guide's folder: `metadata.jsonl` with `audio_filepath` and `text`, `ref.wav`, `ref_text.txt`."""

from __future__ import annotations

from pathlib import Path

from trainable.dataset.listing import Listing
from trainable.dataset.loading.json_lines import HELD_OUT_NAMES, Keys, read_lines
from trainable.dataset.source import Source
from trainable.dataset.user_files import audio_in, is_file, printable

METADATA = "metadata.jsonl"
AUDIO_KEY = "audio_filepath"
REFERENCE = "ref"
"""Stem of the recording that is a source's reference."""
SHOWN = 3
"""How many of many files a message names."""


def metadata_of(folder: Path) -> list[tuple[Path, bool]]:
    """Every metadata file of such a folder, with whether its clips are held out: its own, and those of `train/`,
    `val/`, `valid/` and `validation/`."""
    places = [folder / METADATA, *(folder / name / METADATA for name in ("train", *HELD_OUT_NAMES))]
    return [(path, path.parent.name in HELD_OUT_NAMES and path.parent != folder) for path in places if is_file(path)]


def read_guide(folder: Path, files: list[tuple[Path, bool]], source: Source) -> Listing:
    """Each file with whether it is held out. So is what lies in `val/` and its like, whichever file names it."""
    listing = Listing(folder)
    keys = Keys.of(source, AUDIO_KEY)
    for path, held_out in files:
        read_lines(path, keys, listing, held_out)
    if not listing.rows and not listing.findings:
        names = " and ".join(printable(path) for path, _ in files)
        listing.error("no-clips", names, f"no clips; it holds no line with {keys.audio} and {keys.text}")
    warn_of_unnamed(listing, [path.parent for path, _ in files])
    return listing


def warn_of_unnamed(listing: Listing, folders: list[Path]) -> None:
    """Tells of recordings in these folders, and beside named ones, that no line names. They are not used."""
    looked = dict.fromkeys([*folders, *sorted({path.parent for path in listing.named})])
    known = listing.named | {row.ref_audio for row in listing.rows if row.ref_audio}
    unnamed = [path for folder in looked for path in audio_in(folder) if path not in known and path.stem != REFERENCE]
    if not unnamed:
        return
    names = ", ".join(printable(path.relative_to(listing.folder)) for path in unnamed[:SHOWN])
    names += f" and {len(unnamed) - SHOWN} more" if len(unnamed) > SHOWN else ""
    where = printable(unnamed[0] if len(unnamed) == 1 else listing.folder)
    count = "audio" if len(unnamed) == 1 else f"{len(unnamed)} recordings"
    listing.warning(
        "unnamed-audio", where, f"{count} without a transcript ({names}), not used; write one, or move it away"
    )
