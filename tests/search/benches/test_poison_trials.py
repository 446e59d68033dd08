"""Which trial is blamed for the deaths of the benches it sat on."""

from __future__ import annotations

import pytest

from search.benches.poison_trials import PoisonTrials


def blamed(story: str) -> list[str | None]:
    """Of each death in a story: `x7` a trial came to step 7, `x+` it is over, `xy!` a bench died under these."""
    suspects, found = PoisonTrials(), []
    for word in story.split():
        if word.endswith("!"):
            found.append(suspects.died(word[:-1]))
        elif word.endswith("+"):
            suspects.over(word[0])
        else:
            suspects.reached(word[0], int(word[1:]))
    return found


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        # By itself twice, at the same step.
        ("x5 x! x5 x!", [None, "x"]),
        # It came further in between.
        ("x5 x! x6 x! x7 x!", [None, None, None]),
        # It goes on from an earlier checkpoint, and does not get as far as before.
        ("x9 x! x4 x5 x!", [None, "x"]),
        ("x9 x! x4 x!  x8 x!", [None, "x", "x"]),
        # Never a step.
        ("x! x!", [None, "x"]),
        # Together twice: both are suspected, and the next that dies without the other is it.
        ("xy! xy! x!", [None, None, "x"]),
        ("xy! xy! y!", [None, None, "y"]),
        # Together for ever, nobody knows.
        ("xy! xy! xy! xy!", [None] * 4),
        # One of two comes further; the other is alone in its suspicion when both die.
        ("x3 y3 xy! xy! y4 xy!", [None, None, "x"]),
        # One that was never there before is not blamed for what a suspect does beside it.
        ("xy! xy! xz!", [None, None, "x"]),
        # A trial that has ended is forgotten, whoever takes its name.
        ("x! x+ x!", [None, None]),
        # Nobody sat there.
        ("! !", [None, None]),
    ],
)
def test_who_is_blamed(story: str, expected: list[str | None]) -> None:
    assert blamed(story) == expected


def test_a_suspect_is_one_until_it_comes_further() -> None:
    suspects = PoisonTrials()
    suspects.reached("x", 5)
    for is_suspect in (False, True):
        suspects.died("xy")
        assert ("x" in suspects) is is_suspect
    suspects.reached("x", 5)
    assert "x" in suspects
    suspects.reached("x", 6)
    assert "x" not in suspects and "y" in suspects
