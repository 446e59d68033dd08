"""Sentences that are spoken under two instructions, to measure how far a voice follows them."""

from spaces.records.verdict import LineKind
from trainable.dataset.split import DatasetSplit
from trainable.probe.texts.lines import SHIPPED, lines_for, shipped_names

CALM = "Speak calmly and slowly, in a soft, even voice."
EXCITED = "Speak with great excitement, fast and loud."
"""In English, the language in which the published models are instructed for any spoken language."""
INSTRUCTED_COUNT = 4


def instructed_lines(name_or_path: str, split: DatasetSplit) -> tuple[str, ...]:
    """The texts that are spoken under both instructions: those of `NAME.instructed.txt`, if it is shipped.

    Otherwise the first four sentences among the lines of the probe, filled up with other kinds of line, such as short
    ones. Raises InputError as `lines_for`.
    """
    shipped = SHIPPED / f"{name_or_path}.instructed.txt"
    if name_or_path in shipped_names() and shipped.is_file():
        return tuple(shipped.read_text(encoding="utf-8").splitlines())
    lines = [line for line in lines_for(name_or_path, split) if line.decides]
    lines.sort(key=lambda line: line.kind not in (LineKind.ORDINARY, LineKind.OWN))
    return tuple(line.text for line in lines[:INSTRUCTED_COUNT])
