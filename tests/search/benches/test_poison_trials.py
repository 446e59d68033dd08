"""Which trial is blamed for the deaths of its benches."""

from __future__ import annotations

import pytest

from search.benches.poison_trials import PoisonTrials


def blamed(story: str) -> list[str | None]:
    """The culprit of each death in a story. `x7`: x came to step 7; `x+`: x ended; `xy!`: a bench with x and y died."""
    poison, found = PoisonTrials(), []
    for word in story.split():
        if word.endswith("!"):
            found.append(poison.bench_died(word[:-1]))
        elif word.endswith("+"):
            poison.forget(word[0])
        else:
            poison.progressed(word[0], int(word[1:]))
    return found


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        # Without neighbours twice, at the same step.
        ("x5 x! x5 x!", [None, "x"]),
        # It came further in between.
        ("x5 x! x6 x! x7 x!", [None, None, None]),
        # It resumes from an earlier checkpoint, and does not get as far as before.
        ("x9 x! x4 x5 x!", [None, "x"]),
        ("x9 x! x4 x!  x8 x!", [None, "x", "x"]),
        # Never a step.
        ("x! x!", [None, "x"]),
        # Together twice: both are suspected, and the next one that dies without the other is blamed.
        ("xy! xy! x!", [None, None, "x"]),
        ("xy! xy! y!", [None, None, "y"]),
        # Always together: no one is blamed.
        ("xy! xy! xy! xy!", [None] * 4),
        # One of two comes further, so the other is the only suspect when both die.
        ("x3 y3 xy! xy! y4 xy!", [None, None, "x"]),
        # A newcomer is not blamed for the death that a suspect causes beside it.
        ("xy! xy! xz!", [None, None, "x"]),
        # A trial that has ended is forgotten.
        ("x! x+ x!", [None, None]),
        # Empty benches.
        ("! !", [None, None]),
    ],
)
def test_who_is_blamed(story: str, expected: list[str | None]) -> None:
    assert blamed(story) == expected


def test_a_suspect_is_one_until_it_comes_further() -> None:
    poison = PoisonTrials()
    poison.progressed("x", 5)
    for is_suspect in (False, True):
        poison.bench_died("xy")
        assert ("x" in poison) is is_suspect
    poison.progressed("x", 5)
    assert "x" in poison
    poison.progressed("x", 6)
    assert "x" not in poison and "y" in poison
