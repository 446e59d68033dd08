"""Clips and datasets without recordings: measures of good speech, which a test can change."""

from __future__ import annotations

import hashlib
from pathlib import Path

from trainable.dataset.clip import Clip, ClipMeasures, Speaker, VoiceDataset

CHARACTERS_PER_SECOND = 14.0


def clip(text: str = "one sentence of a voice", place: int = 0, seconds: float | None = None, **changes) -> Clip:
    """Good speech, as long as its letters take. `changes` are fields of `Clip` or `ClipMeasures`."""
    letters = sum(character.isalnum() for character in text)
    own = {name: changes.pop(name) for name in list(changes) if name in Clip.__dataclass_fields__}
    measures = {
        "sha256": f"{place:064d}",
        "rate": 24_000,
        "channels": 1,
        "seconds": seconds if seconds is not None else max(0.5, letters / CHARACTERS_PER_SECOND),
        "rms_dbfs": -20.0 + place % 5,
        "clipped_share": 0.0,
        "dc": 0.0,
        "speech_share": 0.8,
        "noise_dbfs": -65.0,
        "longest_pause": 0.3,
        "bandwidth": 10_000.0,
    }
    defaults = {"audio": Path(f"/voice/clip_{place}.wav"), "where": f"/voice/metadata.jsonl:{place + 1}"}
    return Clip(text=text, measures=ClipMeasures(**{**measures, **changes}), **{**defaults, **own})


def text_clip(text: str, seconds: float = 3.0, recording: str = "", **changes) -> Clip:
    """A clip identified by its text; `recording` distinguishes clips of one text."""
    return clip(text, seconds=seconds, sha256=hashlib.sha256(f"{text}/{recording}".encode()).hexdigest(), **changes)


def numbered_clips(count: int, **changes) -> list[Clip]:
    """`line 0`, `line 1` and so on, of several lengths."""
    return [text_clip(f"line {number}", seconds=1.0 + number % 13, **changes) for number in range(count)]


def varied(count: int = 12) -> list[Clip]:
    """Sentences of many lengths; the first is a short utterance."""
    return [clip("Right.", 0)] + [
        clip(" ".join(["word"] * (2 + place)) + f" {chr(97 + place % 26)}{'x' * (place // 26)}", place)
        for place in range(1, count)
    ]


def reference(**changes) -> Clip:
    changes = {
        "sha256": "f" * 64,
        "audio": Path("/voice/ref.wav"),
        "where": "/voice/ref_text.txt",
        "seconds": 14.0,
        **changes,
    }
    text = changes.pop(
        "text",
        "a long calm passage that is read at the tempo of all the other clips of the voice " * 2
        + "and then some words",
    )
    return clip(text, 900, **changes)


def dataset(*clips: Clip, reference: Clip | None = None, **changes) -> VoiceDataset:
    """One source, and a speaker per name among the clips."""
    names = dict.fromkeys((each.source, each.speaker) for each in clips) or {(0, ""): None}
    spoken = reference or globals()["reference"]()
    speakers = tuple(Speaker(name, source, spoken) for source, name in names)
    fields = {"names": ("/voice",), "weights": (1.0,), "clips": tuple(clips), "speakers": speakers, **changes}
    return VoiceDataset(**fields)
