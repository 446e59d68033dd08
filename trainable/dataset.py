"""A voice dataset on disk: clips, transcripts and one reference clip.

The folder is the public guide's: `metadata.jsonl` with `audio_filepath` and `text` on each line, `ref.wav`, and
`ref_text.txt` with the reference's exact words.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from spaces.errors import InputError
from trainable.audio import SAMPLE_RATE, read_audio

REFERENCE_SECONDS = (10.0, 30.0)
"""Length of a good reference clip (the guide: a long, calm passage)."""


@dataclass(frozen=True)
class Clip:
    """One recording and what is said in it."""

    audio: Path
    text: str
    seconds: float


@dataclass(frozen=True)
class VoiceDataset:
    """Clips in the order of their metadata, every one readable, and one reference clip."""

    folder: Path
    clips: tuple[Clip, ...]
    reference: Clip

    @property
    def seconds(self) -> float:
        return sum(clip.seconds for clip in self.clips)

    def fingerprint(self) -> str:
        """SHA-256 over every transcript and every byte of audio; equal data, equal fingerprint."""
        digest = hashlib.sha256()
        for clip in (*self.clips, self.reference):
            digest.update(clip.text.encode() + b"\0")
            digest.update(hashlib.sha256(clip.audio.read_bytes()).digest())
        return digest.hexdigest()


def load_dataset(folder: Path, auto_reference: bool = False) -> VoiceDataset:
    """Reads and checks a folder; every clip's audio is opened once.

    `auto_reference` takes the best clip as the reference where the folder has none. Raises InputError that lists every
    problem found, each with its line or file and what to do.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected one with metadata.jsonl, ref.wav and ref_text.txt")
    metadata = folder / "metadata.jsonl"
    if not metadata.is_file():
        raise InputError(f'{metadata}: missing; write one line {{"audio_filepath": "a.wav", "text": "…"}} per clip')
    problems: list[str] = []
    clips = _read_clips(metadata, problems)
    if not clips and not problems:
        raise InputError(f"{metadata}: no clips; it holds no line with audio_filepath and text")
    named = {clip.audio.resolve() for clip in clips}
    for audio in sorted(folder.glob("*.wav")):
        if audio.name != "ref.wav" and audio.resolve() not in named and not _mentioned(audio, problems):
            problems.append(f"{audio}: audio without a transcript; add it to metadata.jsonl or move it away")
    reference = _read_reference(folder, clips, auto_reference, problems)
    if problems:
        raise InputError("\n".join(problems))
    assert reference is not None
    return VoiceDataset(folder, tuple(clips), reference)


def best_reference(clips: list[Clip]) -> Clip | None:
    """The clip that would do best as the reference: nearest to 10–30 s, the longest within."""
    low, high = REFERENCE_SECONDS
    return max(
        clips, key=lambda clip: (min(clip.seconds, low), -max(clip.seconds - high, 0.0), clip.seconds), default=None
    )


def _read_clips(metadata: Path, problems: list[str]) -> list[Clip]:
    clips = []
    for number, line in enumerate(metadata.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{metadata}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            problems.append(f"{where}: not JSON ({error})")
            continue
        name, text = (row.get(key) for key in ("audio_filepath", "text")) if isinstance(row, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(text, str):
            problems.append(f"{where}: expected audio_filepath and text, both strings, got {line.strip()[:80]}")
            continue
        if not text.strip():
            problems.append(f"{where}: {name} has an empty transcript; write what is said, or remove the line")
            continue
        audio = metadata.parent / name
        if not audio.resolve().is_relative_to(metadata.parent.resolve()):
            problems.append(f"{where}: {name} lies outside the dataset's folder; copy it in")
            continue
        if not audio.is_file():
            problems.append(f"{where}: transcript without audio, {name} does not exist")
            continue
        clip = _open(audio, text.strip(), problems)
        if clip:
            clips.append(clip)
    return clips


def _read_reference(folder: Path, clips: list[Clip], auto: bool, problems: list[str]) -> Clip | None:
    audio, words = folder / "ref.wav", folder / "ref_text.txt"
    if audio.is_file() and words.is_file():
        text = words.read_text(encoding="utf-8", errors="replace").strip()
        if not text:
            problems.append(f"{words}: empty; write the exact words of ref.wav")
        return _open(audio, text, problems)
    best = best_reference(clips)
    if auto and best is not None:
        return best
    lacking = " and ".join(path.name for path in (audio, words) if not path.is_file())
    hint = f"; {best.audio.name} would do best ({best.seconds:.1f} s): copy it, or add --auto-ref" if best else ""
    problems.append(f"{folder}: no reference, {lacking} missing{hint}")
    return None


def _open(audio: Path, text: str, problems: list[str]) -> Clip | None:
    try:
        return Clip(audio, text, len(read_audio(audio)) / SAMPLE_RATE)
    except InputError as error:
        problems.append(str(error))
        return None


def _mentioned(audio: Path, problems: list[str]) -> bool:
    return any(audio.name in problem for problem in problems)
