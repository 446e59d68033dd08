"""Transcribes a folder of recordings into `metadata.jsonl`, and writes a review for a person.

Every batch is in the journal before the next begins, so an interrupted call can simply be repeated.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import soundfile

from spaces.errors import InputError
from trainable.dataset.formatting import printable
from trainable.dataset.listing import REFERENCE, Listing
from trainable.dataset.loading.guide import AUDIO_KEY, METADATA
from trainable.dataset.loading.json_lines import Keys, read_lines
from trainable.dataset.loading.ljspeech import RECORDINGS
from trainable.dataset.loading.source_files import read_text
from trainable.dataset.loading.speakers import REFERENCE_TEXTS
from trainable.dataset.transcribe.review import ReviewLine, write_review
from trainable.dataset.transcribe.segments import SegmentTranscriber
from trainable.dataset.transcribe.suspicions import suspicions, typical_speech
from trainable.dataset.transcribe.transcript import FileVersion, Transcript, TranscriptJournal
from trainable.dataset.user_files import (
    AUDIO_SUFFIXES,
    FOREIGN_SUFFIXES,
    audio_named,
    files_in,
    is_file,
    is_unicode,
)
from trainable.files.atomic import write_text
from trainable.speech.asr.checkpoint_model import open_model

REFERENCE_TEXT = REFERENCE_TEXTS[0]


@dataclass(frozen=True)
class TranscriptionSummary:
    """What a call did, counted in recordings."""

    recordings: int
    """In the folder, without the reference."""
    kept: int
    """With a line in metadata.jsonl before the call."""
    added: int
    """With a new line."""
    wordless: int
    """Without a text: no speech, nothing recognised, or not readable."""
    suspicious: int
    """In the review with a reason to listen, wordless ones included."""
    reference: bool
    """Whether ref_text.txt was written."""


@dataclass(frozen=True)
class _Metadata:
    """The folder's metadata.jsonl as it was before the call."""

    content: str = ""
    named: frozenset[str] = frozenset()
    """Recordings with a line, relative to the folder."""
    texts: dict[str, str] | None = None
    """Transcripts by recording."""


def transcribe_folder(
    folder: Path,
    asr: str,
    language: str | None = None,
    force: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> TranscriptionSummary:
    """Adds a line for every recording that has none; with `force`, writes all lines anew.

    The model is loaded only if a recording is not in the journal. `on_progress(done, total)` counts recordings. Raises
    InputError for a folder without recordings or without speech, one that cannot be written to, metadata that cannot be
    read, and as `open_model`.
    """
    folder = _checked(folder)
    paths = _recordings(folder)
    reference = audio_named(folder, REFERENCE)
    metadata = _Metadata() if force else _read_metadata(folder)
    recordings = [FileVersion.of(path, folder) for path in paths]
    pending = [each for each in recordings if each.name not in metadata.named]
    needs_text = reference is not None and (force or not is_file(folder / REFERENCE_TEXT))
    if needs_text:
        pending.append(FileVersion.of(reference, folder))
    journal = TranscriptJournal(folder, asr, language)
    try:
        _transcribe(folder, pending, journal, asr, language, on_progress)
        return _write(folder, recordings, pending, metadata, journal.read(), reference.name if needs_text else None)
    except OSError as error:
        raise InputError(f"{printable(folder)}: cannot be written ({error}); make room, or allow writing") from None


def _transcribe(
    folder: Path,
    pending: list[FileVersion],
    journal: TranscriptJournal,
    asr: str,
    language: str | None,
    on_progress: Callable[[int, int], None],
) -> None:
    """Transcribes what is not in the journal, recordings of similar length together."""
    known = journal.read()
    left = sorted((each for each in pending if each not in known), key=lambda each: _seconds(folder / each.name))
    if not left:
        return
    transcriber = SegmentTranscriber(open_model(asr, language), asr, language)
    done = len(pending) - len(left)
    on_progress(done, len(pending))
    while left:
        batch, left = left[: transcriber.batch], left[transcriber.batch :]
        journal.add(transcriber.transcribe(folder, batch))
        done += len(batch)
        on_progress(done, len(pending))


def _write(
    folder: Path,
    recordings: list[FileVersion],
    pending: list[FileVersion],
    metadata: _Metadata,
    transcripts: dict[FileVersion, Transcript],
    reference: str | None,
) -> TranscriptionSummary:
    """Writes metadata.jsonl last: it marks the folder as done."""
    new = [transcripts[each] for each in pending]
    added = [each for each in new if each.text and each.recording.name != reference]
    if not added and not metadata.named:
        write_review(folder, _review(new))
        raise InputError(
            f"{printable(folder)}: no word was recognised in any of {len(recordings)} recordings; review.csv says why"
        )
    old = [transcripts[each] for each in recordings if each in transcripts and each.name in metadata.named]
    texts = metadata.texts or {}
    uncorrected = [each for each in old if texts.get(each.recording.name) == each.text]
    lines = _review([*new, *uncorrected])
    write_review(folder, lines)
    reference_text = next((each.text for each in new if each.recording.name == reference), "")
    if reference_text:
        write_text(folder / REFERENCE_TEXT, reference_text + "\n")
    if added:
        content = metadata.content
        if content and not content.endswith("\n"):
            content += "\n"
        rows = ({AUDIO_KEY: each.recording.name, "text": each.text} for each in added)
        write_text(folder / METADATA, content + "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return TranscriptionSummary(
        recordings=len(recordings),
        kept=len(recordings) - sum(each.recording.name != reference for each in new),
        added=len(added),
        wordless=sum(not each.text for each in new),
        suspicious=sum(bool(line.suspicions) for line in lines),
        reference=bool(reference_text),
    )


def _review(transcripts: list[Transcript]) -> list[ReviewLine]:
    typical = typical_speech(transcripts)
    return [ReviewLine(each, tuple(suspicions(each, typical))) for each in transcripts]


def _checked(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(f"{printable(folder)}: no such folder; expected one with recordings")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{printable(folder)}: cannot be written to; copy the recordings, or allow writing")
    return Path(os.path.abspath(folder))


def _recordings(folder: Path) -> list[Path]:
    """Sorted by name, those in `wavs/` last. Includes formats that cannot be read, so that they are reported."""
    folders = [each for each in (folder, folder / RECORDINGS) if each.is_dir()]
    found = [path for each in folders for path in files_in(each, (*AUDIO_SUFFIXES, *FOREIGN_SUFFIXES))]
    found = [path for path in found if not (path.parent == folder and path.stem == REFERENCE)]
    if not found:
        inner = [name for name in ("train", "val") if (folder / name).is_dir()]
        hint = f"; transcribe {' and '.join(inner)} one by one" if inner else f"; expected {', '.join(AUDIO_SUFFIXES)}"
        raise InputError(f"{printable(folder)}: holds no recordings{hint}")
    unnameable = [path for path in found if not is_unicode(path.name)]
    if unnameable:
        raise InputError(f"{printable(unnameable[0])}: its name is not valid Unicode; rename it")
    return found


def _read_metadata(folder: Path) -> _Metadata:
    if not is_file(folder / METADATA):
        return _Metadata()
    listing = Listing(folder)
    content = read_text(folder / METADATA, listing)
    if listing.findings:
        raise InputError("\n".join(map(str, listing.findings)))
    read_lines(folder / METADATA, Keys(AUDIO_KEY), listing)
    return _Metadata(
        content=content,
        named=frozenset(path.relative_to(folder).as_posix() for path in listing.named),
        texts={row.audio.relative_to(folder).as_posix(): row.text for row in listing.rows},
    )


def _seconds(path: Path) -> float:
    try:
        return soundfile.info(path).duration
    except (soundfile.SoundFileError, RuntimeError, OSError):
        return 0.0
