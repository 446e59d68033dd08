"""The lines that a probe speaks: a text file, a line each."""

from __future__ import annotations

from pathlib import Path

from spaces.errors import InputError

SHIPPED = Path(__file__).parent / "lines"


def load_lines(name_or_path: str) -> tuple[str, ...]:
    """The shipped lines of that name, or those of a file. Lines are spoken in order; the first four screen a trial.

    Raises InputError when there are no such lines, or fewer than four.
    """
    path = SHIPPED / f"{name_or_path}.txt"
    if not path.is_file():
        path = Path(name_or_path)
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.txt")))
        raise InputError(f"no probe lines {name_or_path!r}: neither one of {names} nor a text file")
    lines = tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    if len(lines) < 4:
        raise InputError(f"{path}: a probe needs at least 4 lines, got {len(lines)}")
    return lines
