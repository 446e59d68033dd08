"""Datasets whose recordings are never made: clips with the measures of good speech, and what a test changes of them."""

from __future__ import annotations

from pathlib import Path

from trainable.dataset.clip import Clip, ClipMeasures, Speaker, VoiceDataset

RATE_OF_SPEECH = 14.0
"""Characters per second."""


def clip(text: str = "one sentence of a voice", place: int = 0, seconds: float | None = None, **changes) -> Clip:
    """Good speech, as long as its letters take. Further names are fields of `Clip`, or else of `ClipMeasures`."""
    letters = sum(character.isalnum() for character in text)
    own = {name: changes.pop(name) for name in list(changes) if name in Clip.__dataclass_fields__}
    measures = {
        "sha256": f"{place:064d}",
        "rate": 24_000,
        "channels": 1,
        "seconds": seconds if seconds is not None else max(0.5, letters / RATE_OF_SPEECH),
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


def varied(count: int = 12) -> list[Clip]:
    """Sentences of many lengths, the first a short utterance."""
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
    """One source, and a speaker for each name among the clips."""
    names = dict.fromkeys((each.source, each.speaker) for each in clips) or {(0, ""): None}
    spoken = reference or globals()["reference"]()
    speakers = tuple(Speaker(name, source, spoken) for source, name in names)
    fields = {"names": ("/voice",), "weights": (1.0,), "clips": tuple(clips), "speakers": speakers, **changes}
    return VoiceDataset(**fields)
