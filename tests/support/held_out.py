"""Held-out transcripts for tests of the probe's lines."""

from __future__ import annotations

from trainable.dataset.split import ClipEntry, DatasetSplit, Role


def held_out(*texts: str, trained: tuple[str, ...] = ()) -> DatasetSplit:
    """Of texts of one length, a roster names the last clip first."""
    entries = [ClipEntry(text=text, seconds=1.0, role=Role.HELD_OUT) for text in reversed(texts)]
    return DatasetSplit(entries=(*entries, *(ClipEntry(text=text, seconds=1.0) for text in trained)))


def sentences(count: int) -> tuple[str, ...]:
    """As long as one another, so that none is more ordinary."""
    return tuple(f"sentence {chr(97 + number // 26)}{chr(97 + number % 26)} of the voice" for number in range(count))
