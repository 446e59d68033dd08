"""The lines that a probe speaks: a text file, a line each, or transcripts that the dataset keeps out of training."""

from __future__ import annotations

from pathlib import Path

from spaces.errors import InputError
from trainable.roster import Roster

SHIPPED = Path(__file__).parent / "lines"

HELD_OUT = "held-out"
"""The name of the lines that are the dataset's own: for a language that no lines are shipped for."""
LEAST = 4
MOST_HELD_OUT = 20


def lines_for(name_or_path: str, roster: Roster) -> tuple[str, ...]:
    """Those of `load_lines`, or the transcripts of held-out clips.

    Raises InputError as `load_lines` does, and where fewer than four are held out.
    """
    if name_or_path != HELD_OUT:
        return load_lines(name_or_path)
    lines = tuple(roster.entries[place].text for place in roster.probe[:MOST_HELD_OUT])
    if len(lines) < LEAST:
        raise InputError(
            f"probe lines {HELD_OUT!r}: a probe needs at least {LEAST} lines, and {len(lines)} clips of the first "
            "speaker are held out; add clips (a tenth is held out), or give a text file of lines"
        )
    return lines


def load_lines(name_or_path: str) -> tuple[str, ...]:
    """The shipped lines of that name, or those of a file. Lines are spoken in order; the first four screen a trial.

    Raises InputError when there are no such lines, or fewer than four.
    """
    path = SHIPPED / f"{name_or_path}.txt"
    if not path.is_file():
        path = Path(name_or_path)
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.txt")))
        raise InputError(f"no probe lines {name_or_path!r}: neither one of {names}, {HELD_OUT} nor a text file")
    lines = tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    if len(lines) < LEAST:
        raise InputError(f"{path}: a probe needs at least {LEAST} lines, got {len(lines)}")
    return lines
