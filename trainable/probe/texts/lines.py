"""The lines that a probe speaks: those of a text file, and transcripts that the dataset keeps out of training.

A file holds a line each. `KIND: ` before a line names its kind; a line without it is a passage from 200 letters on,
short below 25, and ordinary between. `own:` alone is a slot for a held-out transcript. Beside `NAME.txt`,
`NAME.confirmation.txt` holds what the finalists speak.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import cycle, islice
from pathlib import Path

from spaces.errors import InputError
from spaces.records.verdict import LineKind, ProbeLine
from trainable.dataset.split import DatasetSplit
from trainable.speech.tempo import letters
from trainable.speech.text.error_rate import words

SHIPPED = Path(__file__).parent / "lines"

HELD_OUT = "held-out"
"""The name of the lines that are the dataset's own: for a language that no lines are shipped for."""
LEAST = 4
MOST_HELD_OUT = 20
CONFIRMATION_LINES = 60
"""No failure among 60 bounds the share of failures by 6 % (Wilson's interval, 95 %); none among 20, by 16 %."""
SHORT_BELOW, PASSAGE_FROM = 25, 200
"""Letters of a line whose kind is not written."""
KNOWN_TO_EVERYBODY = 2
"""Words of a short line that may be trained on: any dataset has an "Oh!", and how it ends is not learned by heart."""
MOST_NAMED = 3

KIND = re.compile(rf"({'|'.join(LineKind)}):(?:\s+(.*))?")


def lines_for(name_or_path: str, split: DatasetSplit) -> tuple[ProbeLine, ...]:
    """The first set, in the order in which it is spoken: the first four screen a trial.

    The lines of the file, its slots filled with held-out transcripts of the first speaker as far as there are any; or,
    for `held-out`, up to 20 of those transcripts. The same for every trial of a search. Raises InputError as
    `load_lines` does, and where fewer than four lines count.
    """
    transcripts = _transcripts(split)
    if name_or_path != HELD_OUT:
        path = _path(name_or_path)
        lines = _filled(_read(path), transcripts)
        if _counting(lines) < LEAST:
            raise _too_few(path, _counting(lines))
        return lines
    lines = tuple(ProbeLine(kind=LineKind.OWN, text=text) for text in transcripts[:MOST_HELD_OUT])
    if len(lines) < LEAST:
        raise InputError(
            f"probe lines {HELD_OUT!r}: a probe needs at least {LEAST} lines, and {len(lines)} clips of the first "
            "speaker are held out; add clips (a tenth is held out), or give a text file of lines"
        )
    return lines


def confirmation_lines(name_or_path: str, split: DatasetSplit) -> tuple[ProbeLine, ...]:
    """The second set, 60 lines that finalists speak, since a search chooses those who do well on the first.

    Those of `NAME.confirmation.txt` where there is one beside the lines, as all shipped lines have it. Otherwise
    held-out transcripts that the first set did not speak, then the lines of the first set. Fewer than 60 are repeated
    in that order, each time with another seed; `unseen_texts` tells how many are no repetition. Raises InputError as
    `lines_for` does.
    """
    first = lines_for(name_or_path, split)
    spoken = {words(line.text) for line in first}
    unspoken = [text for text in _transcripts(split) if words(text) not in spoken]
    second = None if name_or_path == HELD_OUT else _beside(_path(name_or_path))
    if second is not None and second.is_file():
        lines = _filled(_read(second), unspoken)
        if not _counting(lines):
            raise InputError(f"{second}: expected lines that finalists speak, got none; add some or delete the file")
    else:
        lines = (*(ProbeLine(kind=LineKind.OWN, text=text) for text in unspoken), *first)
    return tuple(islice(cycle([line for line in lines if line.decides]), CONFIRMATION_LINES))


def unseen_texts(lines: Iterable[ProbeLine], first: Iterable[ProbeLine]) -> int:
    """How many different texts of these lines are none of the first set's."""
    return len({words(line.text) for line in lines} - {words(line.text) for line in first})


def load_lines(name_or_path: str) -> tuple[ProbeLine, ...]:
    """The shipped lines of that name, or those of a file, as far as they need no dataset: without slots.

    Raises InputError when there are no such lines, when one has no word, and for fewer than four, slots included.
    """
    path = _path(name_or_path)
    lines = _read(path)
    if _counting(lines) < LEAST:
        raise _too_few(path, _counting(lines))
    return tuple(line for line in lines if not _is_slot(line))


def check_unseen(lines: Iterable[ProbeLine], trained_texts: Iterable[str]) -> None:
    """Whether nobody is trained on what is spoken; a short line of a word or two may be.

    Texts are compared as a listener hears them, without case and punctuation. Raises InputError with up to three lines.
    """
    trained = {words(text) for text in trained_texts}
    known = [line.text for line in lines if words(line.text) in trained and not _is_known_to_everybody(line)]
    known = list(dict.fromkeys(known))
    if known:
        named = ", ".join(f'"{text}"' for text in known[:MOST_NAMED])
        more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
        raise InputError(
            f"probe lines: expected none that is trained on, got {named}{more} among the transcripts; what is learned "
            f"by heart tells nothing of the voice; give other lines (a text file, or {HELD_OUT!r}), or take those "
            "clips out of the data"
        )


def shipped_names() -> tuple[str, ...]:
    """Names of the lines that come with the probe."""
    return tuple(sorted(file.stem for file in SHIPPED.glob("*.txt") if "." not in file.stem))


def _is_known_to_everybody(line: ProbeLine) -> bool:
    return line.kind is LineKind.SHORT and len(words(line.text).split()) <= KNOWN_TO_EVERYBODY


def _transcripts(split: DatasetSplit) -> list[str]:
    """Of the first speaker's held-out clips, those of ordinary length first: each once, and none that is trained on as
    well."""
    trained = {words(split.entries[place].text) for place in split.training}
    chosen: dict[str, str] = {}
    for place in split.probe:
        text = split.entries[place].text
        chosen.setdefault(words(text), text)
    return [text for normal, text in chosen.items() if normal and normal not in trained]


def _filled(lines: Sequence[ProbeLine], transcripts: Sequence[str]) -> tuple[ProbeLine, ...]:
    """With transcripts in the slots, spread evenly over them all; a slot for which there is none is left out."""
    written = {words(line.text) for line in lines}
    free = [text for text in transcripts if words(text) not in written]
    count = min(len(free), sum(_is_slot(line) for line in lines))
    chosen = iter([ProbeLine(kind=LineKind.OWN, text=free[slot * len(free) // count]) for slot in range(count)])
    filled = (next(chosen, None) if _is_slot(line) else line for line in lines)
    return tuple(line for line in filled if line is not None)


def _path(name_or_path: str) -> Path:
    path = SHIPPED / f"{name_or_path}.txt" if name_or_path in shipped_names() else Path(name_or_path)
    if not path.is_file():
        names = ", ".join(shipped_names())
        raise InputError(f"no probe lines {name_or_path!r}: neither one of {names}, {HELD_OUT} nor a text file")
    return path


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}.confirmation{path.suffix}")


def _read(path: Path) -> tuple[ProbeLine, ...]:
    try:
        written = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a text file in UTF-8 ({error}); save it as one") from None
    lines = [(number, _line(text.strip())) for number, text in enumerate(written, start=1) if text.strip()]
    for number, line in lines:
        if not _is_slot(line) and not words(line.text):
            raise InputError(
                f"{path}: expected words in line {number}, got {line.text!r}; write some or delete the line"
            )
    return tuple(line for _, line in lines)


def _line(written: str) -> ProbeLine:
    if match := KIND.fullmatch(written):
        return ProbeLine(kind=LineKind(match[1]), text=match[2] or "")
    count = letters(written)
    if count >= PASSAGE_FROM:
        return ProbeLine(kind=LineKind.PASSAGE, text=written)
    return ProbeLine(kind=LineKind.SHORT if count < SHORT_BELOW else LineKind.ORDINARY, text=written)


def _is_slot(line: ProbeLine) -> bool:
    return line.kind is LineKind.OWN and not line.text


def _counting(lines: Sequence[ProbeLine]) -> int:
    return sum(line.decides for line in lines)


def _too_few(path: Path, count: int) -> InputError:
    return InputError(f"{path}: a probe needs at least {LEAST} lines, hard ones not counted, got {count}; add some")
