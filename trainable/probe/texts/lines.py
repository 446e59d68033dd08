"""The lines that a probe speaks: those of a text file, and transcripts that the dataset keeps out of training.

A file holds one line of speech per line. `KIND: ` before a line names its kind; a line without it is a passage from 200
letters on, short below 25, and ordinary between. `own:` alone is a slot for a held-out transcript. Beside `NAME.txt`,
`NAME.confirmation.txt` holds the lines of the confirmation.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import cycle, islice
from pathlib import Path

from spaces.errors import InputError
from spaces.records.verdict import LineKind, ProbeLine
from trainable.dataset.split import DatasetSplit
from trainable.speech.tempo import SHORT_LETTERS, letters
from trainable.speech.text.error_rate import normalise

SHIPPED = Path(__file__).parent / "lines"

HELD_OUT = "held-out"
"""Name for the dataset's own held-out transcripts as lines: for a language without shipped lines."""
MIN_LINES = 4
MAX_HELD_OUT = 20
CONFIRMATION_LINES = 60
"""No failure among 60 bounds the failure rate by 6 % (Wilson's interval, 95 %); none among 20, by 16 %."""
PASSAGE_LETTERS = 200
"""From this many letters on, a line without a written kind is a passage."""
COMMON_WORDS = 2
"""Short lines of at most this many words may be trained on: any dataset has an "Oh!", which tests the end only."""
MAX_LISTED = 3

KIND_PREFIX = re.compile(rf"({'|'.join(LineKind)}):(?:\s+(.*))?")


def lines_for(name_or_path: str, split: DatasetSplit) -> tuple[ProbeLine, ...]:
    """The first set of lines, the same for every trial of a search, in the order in which they are spoken.

    These are the lines of the file, with held-out transcripts of the first speaker in its slots as far as there are
    any; or, for `held-out`, up to 20 of those transcripts. Raises InputError as `load_lines`, and when fewer than four
    lines count.
    """
    transcripts = _transcripts(split)
    if name_or_path != HELD_OUT:
        path = _lines_path(name_or_path)
        lines = _fill_slots(_read(path), transcripts)
        if _count_deciding(lines) < MIN_LINES:
            raise _too_few(path, _count_deciding(lines))
        return lines
    lines = tuple(ProbeLine(kind=LineKind.OWN, text=text) for text in transcripts[:MAX_HELD_OUT])
    if len(lines) < MIN_LINES:
        raise InputError(
            f"probe lines {HELD_OUT!r}: a probe needs at least {MIN_LINES} lines, and {len(lines)} clips of the first "
            "speaker are held out; add clips (a tenth is held out), or give other lines: "
            f"{', '.join(shipped_names())} or a text file"
        )
    return lines


def confirmation_lines(name_or_path: str, split: DatasetSplit) -> tuple[ProbeLine, ...]:
    """The second set: 60 lines for the confirmation, since a search selects trials that do well on the first set.

    These are the lines of `NAME.confirmation.txt` if it exists, as it does for all shipped lines. Otherwise they are
    the held-out transcripts that are not in the first set, then the lines of the first set. Fewer than 60 are repeated
    in that order, each time with another seed; `unseen_texts` counts the texts that are new. Raises InputError as
    `lines_for`.
    """
    first = lines_for(name_or_path, split)
    spoken = {normalise(line.text) for line in first}
    unspoken = [text for text in _transcripts(split) if normalise(text) not in spoken]
    second = None if name_or_path == HELD_OUT else _confirmation_path(_lines_path(name_or_path))
    if second is not None and second.is_file():
        lines = _fill_slots(_read(second), unspoken)
        if not _count_deciding(lines):
            raise InputError(f"{second}: expected lines that finalists speak, got none; add some or delete the file")
    else:
        lines = (*(ProbeLine(kind=LineKind.OWN, text=text) for text in unspoken), *first)
    return tuple(islice(cycle([line for line in lines if line.decides]), CONFIRMATION_LINES))


def unseen_texts(lines: Iterable[ProbeLine], first: Iterable[ProbeLine]) -> int:
    """The number of different texts among these lines that are not in the first set."""
    return len({normalise(line.text) for line in lines} - {normalise(line.text) for line in first})


def load_lines(name_or_path: str) -> tuple[ProbeLine, ...]:
    """The shipped lines of that name, or those of a file, without slots: no dataset is needed.

    Raises InputError when there are no such lines, when one has no words, and for fewer than four, slots included.
    """
    path = _lines_path(name_or_path)
    lines = _read(path)
    if _count_deciding(lines) < MIN_LINES:
        raise _too_few(path, _count_deciding(lines))
    return tuple(line for line in lines if not _is_slot(line))


def check_unseen(lines: Iterable[ProbeLine], trained_texts: Iterable[str]) -> None:
    """Raises InputError, with up to three of them, for lines that are trained on, but for short ones of a word or two.

    Texts are compared without case and punctuation.
    """
    trained = {normalise(text) for text in trained_texts}
    known = [line.text for line in lines if normalise(line.text) in trained and not _may_be_trained_on(line)]
    known = list(dict.fromkeys(known))
    if known:
        named = ", ".join(f'"{text}"' for text in known[:MAX_LISTED])
        more = f" and {len(known) - MAX_LISTED} more" if len(known) > MAX_LISTED else ""
        raise InputError(
            f"probe lines: expected none that is trained on, got {named}{more} among the transcripts; memorised lines "
            f"say nothing about the voice; give other lines (a text file, or {HELD_OUT!r}), or take those clips out "
            "of the data"
        )


def shipped_names() -> tuple[str, ...]:
    """Names of the shipped lines."""
    return tuple(sorted(file.stem for file in SHIPPED.glob("*.txt") if "." not in file.stem))


def _may_be_trained_on(line: ProbeLine) -> bool:
    return line.kind is LineKind.SHORT and len(normalise(line.text).split()) <= COMMON_WORDS


def _transcripts(split: DatasetSplit) -> list[str]:
    """Transcripts of the first speaker's held-out clips, ordinary lengths first: each once, and none that is trained
    on."""
    trained = {normalise(split.entries[place].text) for place in split.training}
    chosen: dict[str, str] = {}
    for place in split.probe:
        text = split.entries[place].text
        chosen.setdefault(normalise(text), text)
    return [text for normal, text in chosen.items() if normal and normal not in trained]


def _fill_slots(lines: Sequence[ProbeLine], transcripts: Sequence[str]) -> tuple[ProbeLine, ...]:
    """Puts transcripts, taken evenly from all of them, into the slots; slots without a transcript are left out."""
    written = {normalise(line.text) for line in lines}
    free = [text for text in transcripts if normalise(text) not in written]
    count = min(len(free), sum(_is_slot(line) for line in lines))
    chosen = iter([ProbeLine(kind=LineKind.OWN, text=free[slot * len(free) // count]) for slot in range(count)])
    filled = (next(chosen, None) if _is_slot(line) else line for line in lines)
    return tuple(line for line in filled if line is not None)


def _lines_path(name_or_path: str) -> Path:
    path = SHIPPED / f"{name_or_path}.txt" if name_or_path in shipped_names() else Path(name_or_path)
    if not path.is_file():
        names = ", ".join(shipped_names())
        raise InputError(f"no probe lines {name_or_path!r}: neither one of {names}, {HELD_OUT} nor a text file")
    return path


def _confirmation_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.confirmation{path.suffix}")


def _read(path: Path) -> tuple[ProbeLine, ...]:
    try:
        written = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a text file in UTF-8 ({error}); save it as one") from None
    lines = [(number, _line(text.strip())) for number, text in enumerate(written, start=1) if text.strip()]
    for number, line in lines:
        if not _is_slot(line) and not normalise(line.text):
            raise InputError(
                f"{path}: expected words in line {number}, got {line.text!r}; write some or delete the line"
            )
    return tuple(line for _, line in lines)


def _line(written: str) -> ProbeLine:
    if match := KIND_PREFIX.fullmatch(written):
        return ProbeLine(kind=LineKind(match[1]), text=match[2] or "")
    count = letters(written)
    if count >= PASSAGE_LETTERS:
        return ProbeLine(kind=LineKind.PASSAGE, text=written)
    return ProbeLine(kind=LineKind.SHORT if count < SHORT_LETTERS else LineKind.ORDINARY, text=written)


def _is_slot(line: ProbeLine) -> bool:
    return line.kind is LineKind.OWN and not line.text


def _count_deciding(lines: Sequence[ProbeLine]) -> int:
    return sum(line.decides for line in lines)


def _too_few(path: Path, count: int) -> InputError:
    return InputError(f"{path}: a probe needs at least {MIN_LINES} lines, hard ones not counted, got {count}; add some")
