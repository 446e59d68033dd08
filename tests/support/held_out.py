"""Splits of a dataset and texts for tests of probe lines."""

from __future__ import annotations

from collections.abc import Iterable

from spaces.records.verdict import ProbeLine
from trainable.dataset.split import ClipEntry, DatasetSplit, Role

LANGUAGES = ("english", "german", "norwegian")
NOTHING = DatasetSplit(entries=())


def held_out(*texts: str, trained: tuple[str, ...] = ()) -> DatasetSplit:
    """A split names the last of equally long clips first, so the texts are reversed."""
    entries = [ClipEntry(text=text, seconds=1.0, role=Role.HELD_OUT) for text in reversed(texts)]
    return DatasetSplit(entries=(*entries, *(ClipEntry(text=text, seconds=1.0) for text in trained)))


def sentences(count: int) -> tuple[str, ...]:
    """All of one length, so that none is more ordinary."""
    return tuple(f"sentence {chr(97 + number // 26)}{chr(97 + number % 26)} of the voice" for number in range(count))


def texts_of(lines: Iterable[ProbeLine]) -> list[str]:
    return [line.text for line in lines]
