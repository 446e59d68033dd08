"""Detects the layout of a local folder or file, and reads it with the loader for that layout."""

from pathlib import Path

from trainable.dataset.formatting import printable
from trainable.dataset.listing import REFERENCE, Listing
from trainable.dataset.loading.guide import AUDIO_KEY as GUIDE_KEY
from trainable.dataset.loading.guide import METADATA, metadata_files, read_guide
from trainable.dataset.loading.json_lines import objects_in
from trainable.dataset.loading.ljspeech import METADATA as LJSPEECH
from trainable.dataset.loading.ljspeech import RECORDINGS, read_ljspeech
from trainable.dataset.loading.qwen_jsonl import AUDIO_KEY as QWEN_KEY
from trainable.dataset.loading.qwen_jsonl import choose_files, read_qwen_jsonl
from trainable.dataset.loading.source_files import read_text
from trainable.dataset.loading.wav_txt_pairs import has_pairs, read_pairs
from trainable.dataset.source import Source
from trainable.dataset.user_files import FOREIGN_SUFFIXES, audio_in, files_in, is_file

LAYOUTS = (
    f"{METADATA} (lines with audio_filepath and text; also in train/ and val/), another .jsonl (lines with audio, text "
    f"and ref_audio), {LJSPEECH} (lines of id|text; recordings in {RECORDINGS}/), or a .txt beside each recording"
)
COMMAND = "python -m trainable.dataset"


def read_local(path: Path, source: Source) -> Listing:
    """Lists a local folder or file, with an error where its layout is unknown. `source` may name keys.

    Raises OSError where a folder cannot be read.
    """
    if path.is_dir():
        return _read_folder(path, source)
    if not is_file(path):
        return _rejected(path, "no such folder or file; expected a folder with " + LAYOUTS)
    if path.suffix.lower() == ".jsonl":
        return _read_jsonl([(path, False)], source)
    if path.suffix.lower() == ".csv":
        return _reject_keys(path, source) or read_ljspeech(path)
    if path in audio_in(path.parent):
        return _rejected(path, f"one recording; cut it into clips with `{COMMAND} split {printable(path)}`")
    return _rejected(path, f"expected a folder, or a file that ends in .jsonl or .csv; a folder with {LAYOUTS}")


def _read_folder(folder: Path, source: Source) -> Listing:
    metadata = metadata_files(folder)
    if metadata and not (metadata == [(folder / METADATA, False)] and _is_qwen(folder / METADATA)):
        return read_guide(folder, metadata, source)
    training, held_out = choose_files(folder)
    if len(training) > 1:
        names = ", ".join(printable(path.name) for path in training)
        return _rejected(folder, f"{names} could each be the list of clips; name one: --data {printable(training[0])}")
    if training:
        return _read_jsonl([(training[0], False), *((path, True) for path in held_out[:1])], source)
    if is_file(folder / LJSPEECH):
        return _reject_keys(folder, source) or read_ljspeech(folder / LJSPEECH)
    if has_pairs(folder):
        return _reject_keys(folder, source) or read_pairs(folder)
    return _reject_without_transcripts(folder)


def _read_jsonl(files: list[tuple[Path, bool]], source: Source) -> Listing:
    if _is_qwen(files[0][0]):
        return read_qwen_jsonl(files, source)
    return read_guide(files[0][0].parent, files, source)


def _is_qwen(metadata: Path) -> bool:
    """By the keys of its first object."""
    first = next(objects_in(read_text(metadata, Listing(metadata.parent))), {})
    return QWEN_KEY in first and GUIDE_KEY not in first


def _reject_keys(path: Path, source: Source) -> Listing | None:
    """An error where the source names keys, for layouts that have none; else None."""
    if not (source.text or source.audio or source.speaker):
        return None
    return _rejected(path, "text=, audio= and speaker= name keys of a .jsonl or columns of hf:ID; leave them out here")


def _reject_without_transcripts(folder: Path) -> Listing:
    recordings = [path for path in [*audio_in(folder), *audio_in(folder / RECORDINGS)] if path.stem != REFERENCE]
    foreign = files_in(folder, FOREIGN_SUFFIXES)
    where = printable(folder)
    if len(recordings) == 1:
        name = printable(recordings[0])
        remedy = (
            f"cut it into clips with `{COMMAND} split {name}`, or transcribe it with `{COMMAND} transcribe {where}`"
        )
        return _rejected(folder / METADATA, f"missing, and {name} is one recording; {remedy}")
    if recordings:
        remedy = f"transcribe them with `{COMMAND} transcribe {where}`, or write one line"
        return _rejected(
            folder / METADATA,
            f"missing, and {len(recordings)} recordings have no transcripts; {remedy} "
            '{"audio_filepath": "a.wav", "text": "…"} per clip',
        )
    if foreign:
        name, stem = printable(foreign[0].name), printable(foreign[0].stem)
        return _rejected(
            folder, f"{len(foreign)} recordings cannot be read; convert them, as in: ffmpeg -i {name} {stem}.wav"
        )
    return _rejected(folder, f"holds no clips; looked for {LAYOUTS}")


def _rejected(where: Path, message: str) -> Listing:
    listing = Listing(where.parent)
    listing.error("format", printable(where), message)
    return listing
