"""Encoding plans of real recordings."""

from __future__ import annotations

import json
from pathlib import Path

from spaces.data_settings import AugmentationSettings, DataSettings
from tests.support.paths import DEMO
from trainable.dataset.clip import Clip, Speaker, VoiceDataset
from trainable.dataset.encoding_plan import EncodingPlan, plan_encoding
from trainable.dataset.measure import measure

CHECKPOINT = DEMO / "checkpoint"
VOICE = DEMO / "voice"


def demo_clips(count: int, folder: Path = VOICE) -> list[Clip]:
    """The first clips of the demo voice, with their audio in `folder`."""
    lines = (VOICE / "metadata.jsonl").read_text().splitlines()[:count]
    rows = [json.loads(line) for line in lines]
    return [clip_of(folder / row["audio_filepath"], row["text"]) for row in rows]


def clip_of(audio: Path, text: str, speaker: str = "") -> Clip:
    return Clip(audio, text, measure(audio), audio.name, speaker)


def plan_of(
    clips: list[Clip], augment: AugmentationSettings | None = None, references: dict[str, Path] | None = None
) -> EncodingPlan:
    """`references` by the speaker's name; by default the demo's, for clips without a speaker."""
    named = references or {"": VOICE / "ref.wav"}
    speakers = tuple(
        Speaker(name, 0, clip_of(path, "the words of the reference", name)) for name, path in named.items()
    )
    dataset = VoiceDataset(("voice",), (1.0,), tuple(clips), speakers)
    return plan_encoding(dataset, DataSettings(augment=augment), seed=0)
