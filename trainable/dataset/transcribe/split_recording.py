"""Cuts one long recording at its pauses into a folder of clips.

`split.json`, written first, holds the recording and the settings; `split.csv`, written last, marks the folder complete.
"""

import csv
import io
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from spaces.errors import InputError
from trainable.files.atomic import UNFINISHED, write_text
from trainable.speech.audio import write_audio
from trainable.speech.recording_stream import RecordingStream, SpeechScan, scan_speech
from trainable.speech.segmenting import ClipLengths, best_reference, cut
from trainable.speech.vad import TimeSpan

PLAN_FILE, DONE_FILE, REFERENCE_FILE = "split.json", "split.csv", "ref.wav"
UNFINISHED_FILES = ("clip_*.wav", REFERENCE_FILE, PLAN_FILE, f".*{UNFINISHED}")
"""Files that an interrupted split leaves."""


@dataclass(frozen=True)
class RecordingSplit:
    """The clips of a recording, and the passage taken out as the reference."""

    clips: tuple[TimeSpan, ...]
    reference: TimeSpan | None
    seconds: float
    """Of the recording."""
    existed: bool = False
    """Whether it had been cut before, so that nothing was written."""


def split_recording(
    recording: Path,
    out: Path,
    lengths: ClipLengths,
    reference: bool = True,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> RecordingSplit:
    """Writes `clip_0000.wav` and so on, 24 kHz, mono, 16 bit, and the best passage of 10–30 s as `ref.wav`.

    After an interruption the same call finishes with the same files. `on_progress(done, total)` counts seconds of the
    recording. Raises InputError for a recording that cannot be read or holds no speech, and for a folder that holds
    other files or cannot be written to.
    """
    source = RecordingStream(recording)
    seconds = source.seconds()
    plan = _plan(recording, lengths, reference)
    if _holds_split(out, plan) and (out / DONE_FILE).is_file():
        return _read(out, seconds)
    scan = scan_speech(source, on_progress)
    done = plan_cuts(scan, lengths, reference)
    if not done.clips:
        raise InputError(f"{recording}: no speech in its {scan.seconds:.0f} s; listen to it, or record it louder")
    try:
        for leftover in out.glob(f".*{UNFINISHED}"):
            leftover.unlink()
        write_text(out / PLAN_FILE, plan)
        for name, span in _spans(done):
            if not (out / name).is_file():
                write_audio(out / name, source.wave(span))
        write_text(out / DONE_FILE, _table(done))
    except (OSError, RuntimeError) as error:
        raise InputError(f"{out}: cannot be written ({error}); make room, or give another folder") from None
    return done


def plan_cuts(scan: SpeechScan, lengths: ClipLengths, reference: bool) -> RecordingSplit:
    """Where to cut. The reference is taken out first; no clip spans it."""
    whole = TimeSpan(0.0, scan.seconds)
    best = best_reference(scan.speech, whole) if reference else None
    if best is None:
        return RecordingSplit(tuple(cut(scan.speech, whole, lengths, scan.quietest)), None, scan.seconds)
    before = [each for each in scan.speech if each.end <= best.start]
    behind = [each for each in scan.speech if each.start >= best.end]
    clips = [
        *cut(before, TimeSpan(0.0, best.start), lengths, scan.quietest),
        *cut(behind, TimeSpan(best.end, scan.seconds), lengths, scan.quietest),
    ]
    return RecordingSplit(tuple(clips), best, scan.seconds)


def _plan(recording: Path, lengths: ClipLengths, reference: bool) -> str:
    stat = recording.stat()
    version = {"recording": recording.name, "bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}
    return json.dumps({**version, **asdict(lengths), "reference": reference}, indent=1) + "\n"


def _holds_split(out: Path, plan: str) -> bool:
    """Whether the folder holds this split, finished or not. Raises InputError when it holds anything else."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; give a folder to cut into")
    ancestor = next(each for each in (out, *out.resolve().parents) if each.exists())
    if not os.access(ancestor, os.W_OK | os.X_OK):
        raise InputError(f"{ancestor}: cannot be written to; give another folder to cut into")
    files = sorted(out.iterdir()) if out.is_dir() else []
    if not files:
        return False
    if not (out / PLAN_FILE).is_file():
        raise InputError(f"{out}: holds {files[0].name} already; give an empty folder to cut into")
    if (out / PLAN_FILE).read_text(encoding="utf-8", errors="replace") != plan:
        raise InputError(
            f"{out}: holds clips of another recording, or cut with other settings; give another folder, or delete it"
        )
    others = [each for each in files if not any(each.match(pattern) for pattern in UNFINISHED_FILES)]
    if others and not (out / DONE_FILE).is_file():
        raise InputError(f"{out}: holds {others[0].name} among unfinished clips; move it away, or delete the folder")
    return True


def _spans(done: RecordingSplit) -> list[tuple[str, TimeSpan]]:
    clips = [(f"clip_{number:04d}.wav", span) for number, span in enumerate(done.clips)]
    return [*clips, *([(REFERENCE_FILE, done.reference)] if done.reference else [])]


def _table(done: RecordingSplit) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("clip", "start", "end", "seconds"))
    for name, span in _spans(done):
        rows.writerow((name, f"{span.start:.3f}", f"{span.end:.3f}", f"{span.seconds:.3f}"))
    return text.getvalue()


def _read(out: Path, seconds: float) -> RecordingSplit:
    """A finished split, from its table."""
    with (out / DONE_FILE).open(encoding="utf-8", newline="") as file:
        spans = {row["clip"]: TimeSpan(float(row["start"]), float(row["end"])) for row in csv.DictReader(file)}
    reference = spans.pop(REFERENCE_FILE, None)
    return RecordingSplit(tuple(spans.values()), reference, seconds, existed=True)
