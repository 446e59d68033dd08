"""One long recording, cut at its pauses into a folder of clips.

The folder is told apart by two files: `split.json`, written first, says what is being cut and how; `split.csv`, written
last, says that all clips are there.
"""

from __future__ import annotations

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
from trainable.speech.recording_stream import RecordingStream, SpeechScan, listen
from trainable.speech.segmenting import ClipLengths, best_reference, cut
from trainable.speech.vad import TimeSpan

PLAN, DONE, REFERENCE = "split.json", "split.csv", "ref.wav"
OURS = ("clip_*.wav", REFERENCE, PLAN, f".*{UNFINISHED}")
"""What a split that was stopped leaves."""


@dataclass(frozen=True)
class RecordingSplit:
    """What a recording was cut into."""

    clips: tuple[TimeSpan, ...]
    reference: TimeSpan | None
    seconds: float
    """Of the recording."""
    found: bool = False
    """Whether it had been cut before, and nothing was written."""

    @property
    def kept(self) -> float:
        """Seconds in clips and reference."""
        return sum(each.seconds for each in self.clips) + (self.reference.seconds if self.reference else 0.0)


def split_recording(
    recording: Path,
    out: Path,
    lengths: ClipLengths,
    reference: bool = True,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> RecordingSplit:
    """Cuts into `clip_0000.wav` and so on, 24 kHz, mono, 16 bit; the best passage of 10–30 s goes into `ref.wav`.

    A call that was stopped is made again with the same arguments, and gives the same files. `on_progress(done, of)` is
    told seconds of the recording. Raises InputError for a recording that cannot be read or holds no speech, and for a
    folder that holds something else or cannot be written to.
    """
    source = RecordingStream(recording)
    seconds = source.seconds()
    plan = _plan(recording, lengths, reference)
    if _begun(out, plan) and (out / DONE).is_file():
        return _read(out, seconds)
    heard = listen(source, on_progress)
    done = plan_cuts(heard, lengths, reference)
    if not done.clips:
        raise InputError(f"{recording}: no speech in its {heard.seconds:.0f} s; listen to it, or record it louder")
    try:
        for leftover in out.glob(f".*{UNFINISHED}"):
            leftover.unlink()
        write_text(out / PLAN, plan)
        for name, span in _named(done):
            if not (out / name).is_file():
                write_audio(out / name, source.wave(span))
        write_text(out / DONE, _table(done))
    except (OSError, RuntimeError) as error:
        raise InputError(f"{out}: cannot be written ({error}); make room, or give another folder") from None
    return done


def plan_cuts(heard: SpeechScan, lengths: ClipLengths, reference: bool) -> RecordingSplit:
    """Where to cut what was heard. The reference is taken out of the clips, which end before and begin behind it."""
    whole = TimeSpan(0.0, heard.seconds)
    best = best_reference(heard.speech, whole) if reference else None
    if best is None:
        return RecordingSplit(tuple(cut(heard.speech, whole, lengths, heard.quiet)), None, heard.seconds)
    before = [each for each in heard.speech if each.end <= best.start]
    behind = [each for each in heard.speech if each.start >= best.end]
    clips = [
        *cut(before, TimeSpan(0.0, best.start), lengths, heard.quiet),
        *cut(behind, TimeSpan(best.end, heard.seconds), lengths, heard.quiet),
    ]
    return RecordingSplit(tuple(clips), best, heard.seconds)


def _plan(recording: Path, lengths: ClipLengths, reference: bool) -> str:
    seen = recording.stat()
    made_from = {"recording": recording.name, "bytes": seen.st_size, "modified_ns": seen.st_mtime_ns}
    return json.dumps({**made_from, **asdict(lengths), "reference": reference}, indent=1) + "\n"


def _begun(out: Path, plan: str) -> bool:
    """Whether the folder holds this very split, finished or not. Raises InputError when it holds anything else."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; give a folder to cut into")
    ancestor = next(each for each in (out, *out.resolve().parents) if each.exists())
    if not os.access(ancestor, os.W_OK | os.X_OK):
        raise InputError(f"{ancestor}: cannot be written to; give another folder to cut into")
    held = sorted(each for each in out.iterdir()) if out.is_dir() else []
    if not held:
        return False
    if not (out / PLAN).is_file():
        raise InputError(f"{out}: holds {held[0].name} already; give an empty folder to cut into")
    if (out / PLAN).read_text(encoding="utf-8", errors="replace") != plan:
        raise InputError(
            f"{out}: holds clips of another recording, or cut with other settings; give another folder, or delete it"
        )
    strangers = [each for each in held if not any(each.match(pattern) for pattern in OURS)]
    if strangers and not (out / DONE).is_file():
        raise InputError(f"{out}: holds {strangers[0].name} among unfinished clips; move it away, or delete the folder")
    return True


def _named(done: RecordingSplit) -> list[tuple[str, TimeSpan]]:
    clips = [(f"clip_{number:04d}.wav", span) for number, span in enumerate(done.clips)]
    return [*clips, *([(REFERENCE, done.reference)] if done.reference else [])]


def _table(done: RecordingSplit) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("clip", "start", "end", "seconds"))
    for name, span in _named(done):
        rows.writerow((name, f"{span.start:.3f}", f"{span.end:.3f}", f"{span.seconds:.3f}"))
    return text.getvalue()


def _read(out: Path, seconds: float) -> RecordingSplit:
    """A finished split, as its table says."""
    with (out / DONE).open(encoding="utf-8", newline="") as file:
        spans = {row["clip"]: TimeSpan(float(row["start"]), float(row["end"])) for row in csv.DictReader(file)}
    reference = spans.pop(REFERENCE, None)
    return RecordingSplit(tuple(spans.values()), reference, seconds, found=True)
