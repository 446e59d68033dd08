"""The same sentences under two instructions: how far a voice can be directed."""

from __future__ import annotations

from spaces.records.verdict import LineKind
from trainable.dataset.split import DatasetSplit
from trainable.probe.texts.lines import SHIPPED, lines_for, shipped_names

CALM = "Speak calmly and slowly, in a soft, even voice."
EXCITED = "Speak with great excitement, fast and loud."
"""In English, as the published models are instructed whatever language they speak."""
INSTRUCTED_LINES = 4


def instructed_lines(name_or_path: str, split: DatasetSplit) -> tuple[str, ...]:
    """Texts that are spoken under both instructions: the four shipped beside lines of that name, where there are any.

    Otherwise the first four sentences among the lines of the probe; other kinds of line, such as short ones, come in
    only where these are fewer. Raises InputError as `lines_for` does.
    """
    shipped = SHIPPED / f"{name_or_path}.instructed.txt"
    if name_or_path in shipped_names() and shipped.is_file():
        return tuple(shipped.read_text(encoding="utf-8").splitlines())
    lines = [line for line in lines_for(name_or_path, split) if line.decides]
    lines.sort(key=lambda line: line.kind not in (LineKind.ORDINARY, LineKind.OWN))
    return tuple(line.text for line in lines[:INSTRUCTED_LINES])
