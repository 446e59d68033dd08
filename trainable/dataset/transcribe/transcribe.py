"""Writes `metadata.jsonl` for a folder of recordings, as a recogniser hears them, and a review for a person.

Every batch is in the journal before the next is heard, so a call that was stopped is simply made again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import soundfile

from spaces.errors import InputError
from trainable.dataset.listing import Listing
from trainable.dataset.loading.guide import AUDIO_KEY, METADATA, REFERENCE
from trainable.dataset.loading.json_lines import Keys, read_lines
from trainable.dataset.loading.ljspeech import RECORDINGS
from trainable.dataset.transcribe.review import ReviewLine, write_review
from trainable.dataset.transcribe.segments import SegmentTranscriber
from trainable.dataset.transcribe.suspicions import doubts, usual
from trainable.dataset.transcribe.transcript import FileVersion, Transcript, TranscriptJournal
from trainable.dataset.user_files import (
    AUDIO_SUFFIXES,
    FOREIGN_SUFFIXES,
    audio_named,
    is_file,
    is_unicode,
    printable,
    read_text,
)
from trainable.files.atomic import write_text
from trainable.speech.asr.whisper import open_whisper

REFERENCE_TEXT = "ref_text.txt"


@dataclass(frozen=True)
class Transcribed:
    """What was done, counted in recordings."""

    recordings: int
    """In the folder, the reference left out."""
    kept: int
    """That had a line in metadata.jsonl before."""
    added: int
    """That have got one."""
    silent: int
    """Without a text: nobody speaks, nothing was understood, or they cannot be read."""
    doubtful: int
    """In the review with a reason to listen, silent ones included."""
    reference: bool
    """Whether ref_text.txt was written."""


@dataclass(frozen=True)
class _Known:
    """What a folder's metadata.jsonl says."""

    text: str = ""
    named: frozenset[str] = frozenset()
    texts: dict[str, str] | None = None


def transcribe_folder(
    folder: Path,
    asr: str,
    language: str | None = None,
    force: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> Transcribed:
    """Adds a line for every recording that has none; with `force`, writes all of them anew.

    The model is loaded only when there is something to hear. `on_progress(done, of)` is told recordings. Raises
    InputError for a folder without recordings, or with none that holds speech, one that cannot be written to, metadata
    that cannot be read, and as `open_whisper`.
    """
    folder = _checked(folder)
    paths = _recordings(folder)
    reference = audio_named(folder, REFERENCE)
    known = _Known() if force else _read_metadata(folder)
    wanted = [FileVersion.of(path, folder) for path in paths]
    hearable = [each for each in wanted if each.name not in known.named]
    speaks = reference is not None and (force or not is_file(folder / REFERENCE_TEXT))
    if speaks:
        hearable.append(FileVersion.of(reference, folder))
    journal = TranscriptJournal(folder, asr, language)
    try:
        _hear(folder, hearable, journal, asr, language, on_progress)
        return _write(folder, wanted, hearable, known, journal.read(), reference.name if speaks else None)
    except OSError as error:
        raise InputError(f"{printable(folder)}: cannot be written ({error}); make room, or allow writing") from None


def _hear(
    folder: Path,
    hearable: list[FileVersion],
    journal: TranscriptJournal,
    asr: str,
    language: str | None,
    on_progress: Callable[[int, int], None],
) -> None:
    """Hears what the journal does not know, those of like length together."""
    known = journal.read()
    left = sorted((each for each in hearable if each not in known), key=lambda each: _seconds(folder / each.name))
    if not left:
        return
    listener = SegmentTranscriber(open_whisper(asr, language), asr, language)
    done = len(hearable) - len(left)
    on_progress(done, len(hearable))
    while left:
        batch, left = left[: listener.batch], left[listener.batch :]
        journal.add(listener.hear(folder, batch))
        done += len(batch)
        on_progress(done, len(hearable))


def _write(
    folder: Path,
    wanted: list[FileVersion],
    hearable: list[FileVersion],
    known: _Known,
    transcripts: dict[FileVersion, Transcript],
    reference: str | None,
) -> Transcribed:
    """Review and reference first: metadata.jsonl says that all is done."""
    heard = [transcripts[each] for each in hearable]
    added = [each for each in heard if each.text and each.recording.name != reference]
    if not added and not known.named:
        write_review(folder, _review(heard))
        raise InputError(
            f"{printable(folder)}: no word was understood in any of {len(wanted)} recordings; review.csv says why"
        )
    before = [transcripts[each] for each in wanted if each in transcripts and each.name in known.named]
    corrected = known.texts or {}
    lines = _review([*heard, *(each for each in before if corrected.get(each.recording.name) == each.text)])
    write_review(folder, lines)
    of_reference = next((each.text for each in heard if each.recording.name == reference), "")
    if of_reference:
        write_text(folder / REFERENCE_TEXT, of_reference + "\n")
    if added:
        old = known.text if not known.text or known.text.endswith("\n") else known.text + "\n"
        rows = ({AUDIO_KEY: each.recording.name, "text": each.text} for each in added)
        write_text(folder / METADATA, old + "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return Transcribed(
        recordings=len(wanted),
        kept=len(wanted) - sum(each.recording.name != reference for each in heard),
        added=len(added),
        silent=sum(not each.text for each in heard),
        doubtful=sum(bool(line.doubts) for line in lines),
        reference=bool(of_reference),
    )


def _review(transcripts: list[Transcript]) -> list[ReviewLine]:
    among = usual(transcripts)
    return [ReviewLine(each, tuple(doubts(each, among))) for each in transcripts]


def _checked(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(f"{printable(folder)}: no such folder; expected one with recordings")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{printable(folder)}: cannot be written to; copy the recordings, or allow writing")
    return Path(os.path.abspath(folder))


def _recordings(folder: Path) -> list[Path]:
    """By name, those in `wavs/` last. What libsndfile cannot read is among them, to be told of."""
    suffixes = (*AUDIO_SUFFIXES, *FOREIGN_SUFFIXES)
    places = [place for place in (folder, folder / RECORDINGS) if place.is_dir()]
    found = [
        path
        for place in places
        for path in sorted(place.iterdir())
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and is_file(path)
    ]
    found = [path for path in found if not (path.parent == folder and path.stem == REFERENCE)]
    if not found:
        inner = [name for name in ("train", "val") if (folder / name).is_dir()]
        hint = f"; transcribe {' and '.join(inner)} one by one" if inner else f"; expected {', '.join(AUDIO_SUFFIXES)}"
        raise InputError(f"{printable(folder)}: holds no recordings{hint}")
    unnameable = [path for path in found if not is_unicode(path.name)]
    if unnameable:
        raise InputError(f"{printable(unnameable[0])}: its name is no Unicode, so no line can name it; rename it")
    return found


def _read_metadata(folder: Path) -> _Known:
    if not is_file(folder / METADATA):
        return _Known()
    listing = Listing(folder)
    text = read_text(folder / METADATA, listing)
    if listing.findings:
        raise InputError("\n".join(map(str, listing.findings)))
    read_lines(folder / METADATA, Keys(AUDIO_KEY), listing)
    return _Known(
        text=text,
        named=frozenset(path.relative_to(folder).as_posix() for path in listing.named),
        texts={row.audio.relative_to(folder).as_posix(): row.text for row in listing.rows},
    )


def _seconds(path: Path) -> float:
    try:
        return soundfile.info(path).duration
    except (soundfile.SoundFileError, RuntimeError, OSError):
        return 0.0
