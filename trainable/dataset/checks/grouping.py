"""One finding for all the clips that share a fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainable.dataset.clip import Clip, VoiceDataset
from trainable.dataset.finding import Finding, Severity
from trainable.dataset.user_files import printable, shown

NAMED = 3
"""Clips that a message names; `Finding.clips` holds all of them."""


@dataclass(frozen=True)
class Hit:
    """A clip that a check is about, and what it found there, if that differs from clip to clip."""

    clip: Clip
    detail: str = ""

    def __str__(self) -> str:
        name = printable(self.clip.audio.name)
        return f"{name} ({shown(self.detail)})" if self.detail else name


def grouped(
    dataset: VoiceDataset, check: str, severity: Severity, hits: Sequence[Hit], one: str, many: str, advice: str
) -> list[Finding]:
    """No finding without a hit; else one, at the clip's own line when it is about one clip.

    `one` follows a clip's name ("is clipped"), `many` follows "7 clips" ("are clipped").
    """
    if not hits:
        return []
    if len(hits) == 1:
        where, what = hits[0].clip.where, f"{hits[0]} {one}"
    else:
        where, what = whole(dataset), f"{len(hits)} clips {many}: {named([str(hit) for hit in hits])}"
    paths = tuple(printable(hit.clip.audio) for hit in hits)
    return [Finding(severity=severity, check=check, where=where, message=f"{what}; {advice}", clips=paths)]


def named(items: Sequence[str]) -> str:
    """The first three, and how many more there are."""
    more = len(items) - NAMED
    return ", ".join(items[:NAMED]) + (f" and {more} more" if more > 0 else "")


def line(clip: Clip) -> str:
    """Where a clip is named, in few letters: `metadata.jsonl:4`."""
    return clip.where.replace("\\", "/").rpartition("/")[2]


def whole(dataset: VoiceDataset) -> str:
    """The dataset, as the place of a finding."""
    return printable(", ".join(dataset.names))


def clips_by_speaker(dataset: VoiceDataset) -> dict[tuple[int, str], list[Clip]]:
    """By source and name, as `Speaker` has them."""
    own: dict[tuple[int, str], list[Clip]] = {(speaker.source, speaker.name): [] for speaker in dataset.speakers}
    for clip in dataset.clips:
        own[clip.source, clip.speaker].append(clip)
    return own


def quoted(text: str, most: int = 50) -> str:
    """A transcript in a message, cut where it is long."""
    text = printable(text)
    return f"“{text}”" if len(text) <= most else f"“{text[: most - 1].rstrip()}…”"
