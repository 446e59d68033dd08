"""Lines of a probe: slots, lines of a file, and that no line is trained on."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from search.checking.checks import check_plan
from spaces.errors import InputError
from spaces.records.verdict import LineKind, ProbeLine
from tests.support.held_out import NOTHING, held_out, sentences, texts_of
from tests.support.toy_search import toy_plan
from tests.support.voices import TEXTS, make_voice
from trainable.dataset.split import ClipEntry, DatasetSplit, Role
from trainable.probe.texts.instructions import instructed_lines
from trainable.probe.texts.lines import HELD_OUT, check_unseen, confirmation_lines, lines_for, load_lines, unseen_texts


@pytest.mark.parametrize(
    ("slots", "transcripts", "chosen"),
    [
        (0, ("x x x",), []),
        (2, (), []),
        (2, ("one by one",), ["one by one"]),
        (2, ("aa aa", "bb bb", "cc cc", "dd dd"), ["aa aa", "cc cc"]),
        (3, ("aa aa", "bb bb", "cc cc", "dd dd", "ee ee"), ["aa aa", "bb bb", "dd dd"]),
        (2, ("Trained on!", "bb bb", "A b", "BB BB"), ["bb bb"]),
        (2, ("...", "bb bb"), ["bb bb"]),
    ],
)
def test_slots_take_held_out_transcripts(
    tmp_path: Path, slots: int, transcripts: tuple[str, ...], chosen: list
) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("a b\nc d\n" + "own:\n" * slots + "e\nf\n")
    lines = lines_for(str(file), held_out(*transcripts, trained=("trained on",)))
    assert texts_of(lines) == ["a b", "c d", *chosen, "e", "f"]
    assert [line.text for line in lines if line.kind is LineKind.OWN] == chosen
    assert texts_of(load_lines(str(file))) == ["a b", "c d", "e", "f"]


def test_a_slot_takes_no_other_speakers_transcript() -> None:
    other = DatasetSplit(
        entries=(ClipEntry(text="aa", seconds=1.0, role=Role.HELD_OUT, speaker=1),), speakers=("a", "b")
    )
    assert len(lines_for("english", other)) == len(lines_for("english", NOTHING)) == 19


def test_the_dataset_gives_up_to_twenty_lines() -> None:
    lines = lines_for(HELD_OUT, held_out(*sentences(30)))
    assert texts_of(lines) == list(sentences(20))
    assert {line.kind for line in lines} == {LineKind.OWN}
    with pytest.raises(InputError, match="3 clips of the first speaker are held out"):
        lines_for(HELD_OUT, held_out(*sentences(4), trained=("Sentence aa of the voice!",)))


@pytest.mark.parametrize(
    ("count", "expected", "unseen"),
    [
        (90, sentences(90)[20:80], 60),
        (70, (*sentences(70)[20:], *sentences(10)), 50),
        (25, (*sentences(25)[20:], *sentences(20)) * 3, 5),
        (4, sentences(4) * 15, 0),
    ],
)
def test_the_confirmation_speaks_unspoken_transcripts_first(count: int, expected: tuple[str, ...], unseen: int) -> None:
    split = held_out(*sentences(count))
    second = confirmation_lines(HELD_OUT, split)
    assert texts_of(second) == list(expected)[:60] and len(second) == 60
    assert unseen_texts(second, lines_for(HELD_OUT, split)) == unseen


def test_lines_of_a_file_are_confirmed_with_the_file_beside_it_or_with_the_dataset(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("a b\nc d\nown:\nhard: she sells\ne\nf\n")
    split = held_out("aa aa", "bb bb", "cc cc")
    second = confirmation_lines(str(file), split)
    assert texts_of(second) == (["bb bb", "cc cc", "a b", "c d", "aa aa", "e", "f"] * 9)[:60]
    assert unseen_texts(second, lines_for(str(file), split)) == 2
    (tmp_path / "mine.confirmation.txt").write_text("g\nown:\nhard: sea shells\n")
    second = confirmation_lines(str(file), split)
    assert texts_of(second) == ["g", "bb bb"] * 30
    assert unseen_texts(second, lines_for(str(file), split)) == 2
    (tmp_path / "mine.confirmation.txt").write_text("hard: sea shells\n")
    with pytest.raises(InputError, match="mine.confirmation.txt: expected lines that finalists speak"):
        confirmation_lines(str(file), split)


@pytest.mark.parametrize(
    ("written", "kind", "text"),
    [
        ("Hardly anything.", "short", "Hardly anything."),
        ("x" * 24, "short", "x" * 24),
        ("x" * 25, "ordinary", "x" * 25),
        ("x" * 199, "ordinary", "x" * 199),
        ("x " * 199 + "x", "passage", "x " * 199 + "x"),
        ("question:  Why?", "question", "Why?"),
        ("hard: a", "hard", "a"),
        ("own: my own words", "own", "my own words"),
        ("Question: why?", "short", "Question: why?"),
        ("shortly: no", "short", "shortly: no"),
    ],
)
def test_the_kind_of_a_line_is_written_or_follows_from_its_length(
    tmp_path: Path, written: str, kind: str, text: str
) -> None:
    (tmp_path / "own.txt").write_text(f"\ufeff a b\n\n c d \ne\nf\n{written}\n", encoding="utf-8")
    lines = load_lines(str(tmp_path / "own.txt"))
    assert texts_of(lines) == ["a b", "c d", "e", "f", text]
    assert lines[-1] == ProbeLine(kind=LineKind(kind), text=text)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a\nb\n", "at least 4 lines, hard ones not counted, got 2"),
        (b"a\nb\nc\nhard: d\n", "got 3"),
        (b"a\nb\nc\n...\n", "expected words in line 4"),
        (b"a\nb\nc\nshort:\n", "expected words in line 4"),
        (b"a\nb\nc\n\xff\n", "UTF-8"),
    ],
)
def test_a_file_that_cannot_be_spoken_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "bad.txt").write_bytes(content)
    with pytest.raises(InputError, match=problem):
        load_lines(str(tmp_path / "bad.txt"))


def test_empty_slots_are_no_lines(tmp_path: Path) -> None:
    (tmp_path / "few.txt").write_text("a\nb\nc\nown:\n")
    assert len(load_lines(str(tmp_path / "few.txt"))) == 3
    with pytest.raises(InputError, match="got 3"):
        lines_for(str(tmp_path / "few.txt"), NOTHING)


@pytest.mark.parametrize("name", ["no such lines", "english.confirmation", "english.instructed", ""])
def test_unknown_lines_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="neither one of digits, english, german, norwegian, held-out nor a text file"):
        load_lines(name)


@pytest.mark.parametrize(
    ("kind", "text", "trained", "refused"),
    [
        ("ordinary", "Nobody said anything.", "nobody  said anything", True),
        ("ordinary", "Nobody said anything.", "nobody said anything today", False),
        ("own", "Nobody said anything.", "NOBODY SAID ANYTHING", True),
        ("short", "Nobody said anything.", "Nobody said anything!", True),
        ("short", "Oh!", "oh", False),
        ("short", "Never mind.", "Never mind!", False),
        ("ordinary", "four", "four", True),
    ],
)
def test_a_line_that_is_trained_on_is_refused(kind: str, text: str, trained: str, refused: bool) -> None:
    line = ProbeLine(kind=LineKind(kind), text=text)
    if not refused:
        check_unseen([line], [trained])
        return
    with pytest.raises(InputError, match=re.escape(f'"{text}" among the transcripts')):
        check_unseen([line], [trained])


@pytest.mark.parametrize("lines", [lines_for, confirmation_lines])
def test_a_search_whose_lines_are_trained_on_is_refused(tmp_path: Path, lines: Callable) -> None:
    known = lines("digits", NOTHING)[4].text
    make_voice(tmp_path / "voice", (*TEXTS, known))
    plan = toy_plan(tmp_path)
    with pytest.raises(InputError, match=f'expected none that is trained on, got "{known}"'):
        check_plan(plan)
    assert not plan.run.path.exists()


def test_up_to_three_trained_lines_are_named() -> None:
    lines = [ProbeLine(kind=LineKind.ORDINARY, text=f"one two {number}") for number in "abcded"]
    with pytest.raises(InputError, match='"one two a", "one two b", "one two c" and 2 more among') as caught:
        check_unseen(lines, [line.text for line in lines])
    assert "one two d" not in str(caught.value)


def test_other_lines_are_instructed_with_their_first_sentences(tmp_path: Path) -> None:
    assert list(instructed_lines("digits", NOTHING)) == texts_of(load_lines("digits"))[:4]
    assert instructed_lines(HELD_OUT, held_out(*sentences(6))) == sentences(4)
    (tmp_path / "own.txt").write_text("Oh!\nquestion: Why?\nordinary: a b\nhard: c\nordinary: d e\nNo.\n")
    assert instructed_lines(str(tmp_path / "own.txt"), NOTHING) == ("a b", "d e", "Oh!", "Why?")
