"""Whether a rejected trial trains on, and the outcome of two probes."""

from __future__ import annotations

import pytest

from spaces.band import Band
from spaces.records.trial import Ending, Outcome
from spaces.records.verdict import Verdict
from tests.support.made_runs import line, outcome, point, verdict
from trainable.probe.criteria.criteria_table import Flag
from trainable.training.outcome import TrainingAdvice, combine_outcomes, failed_share, lower_band, training_advice

BAND = Band(low=4.1, high=4.2)


def rejected(*flags: Flag, sound: int = 0, drifted: int = 0) -> Verdict:
    """A rejecting verdict: a failed line per flag, and `sound` good lines; `drifted` counts the flag VOICE_DRIFT."""
    lines = [line(f"line {at}", 0.5, (flag,)) for at, flag in enumerate(flags)]
    lines += [line(f"sound {at}", 0.9) for at in range(sound)]
    counts = {flag: flags.count(flag) for flag in flags} | ({Flag.VOICE_DRIFT: drifted} if drifted else {})
    known = {"flags": counts, "failed_lines": len(flags), "lines": tuple(lines), "planned_lines": len(lines)}
    return verdict([0.5], ("rejected",)).model_copy(update=known)


@pytest.mark.parametrize(
    ("verdict", "base", "expected"),
    [
        (verdict([0.9, 0.9]), None, None),
        (rejected(sound=8, drifted=2), None, TrainingAdvice.MORE),
        (rejected(Flag.GARBLED, sound=7, drifted=2), None, TrainingAdvice.MORE),
        (rejected(Flag.GARBLED, Flag.GARBLED, sound=6), None, TrainingAdvice.LESS),
        (rejected(Flag.LOOPED, Flag.NO_EOS, sound=6, drifted=2), None, TrainingAdvice.LESS),
        (rejected(Flag.NOISY, Flag.NOISY, Flag.CLIPPED), None, TrainingAdvice.LESS),
        (rejected(Flag.CLIPPED, Flag.CLIPPED, sound=6), None, None),
        # Its lines are sound, but it speaks too fast.
        (rejected(sound=8), None, TrainingAdvice.LESS),
        # A language that the base model cannot speak either.
        (rejected(*[Flag.GARBLED] * 4, sound=4), rejected(*[Flag.GARBLED] * 5, sound=3), TrainingAdvice.MORE),
        (rejected(*[Flag.GARBLED] * 4, sound=4), rejected(*[Flag.GARBLED] * 4, sound=4), TrainingAdvice.MORE),
        (rejected(*[Flag.GARBLED] * 4, sound=4), rejected(Flag.GARBLED, sound=7), TrainingAdvice.LESS),
    ],
)
def test_more_or_less_training_is_advised(
    verdict: Verdict, base: Verdict | None, expected: TrainingAdvice | None
) -> None:
    assert training_advice(verdict, failed_share(base) if base else None) is expected


DRIFTED = rejected(sound=8, drifted=2)


def probed(loss: float, found: Verdict | None, ending: Ending = Ending.IN_BAND, **changes) -> Outcome:
    return outcome("t1", ending, found, stopped=point(9, loss)).model_copy(update=changes)


@pytest.mark.parametrize(("loss", "high"), [(4.2, 4.15), (4.16, 4.13)])
def test_a_trial_that_needs_more_training_trains_on_to_the_lower_part_of_its_band(loss: float, high: float) -> None:
    lower = lower_band(BAND, probed(loss, DRIFTED), None)
    assert (lower.low, lower.high) == pytest.approx((4.1, high))
    assert loss not in lower


@pytest.mark.parametrize(
    "outcome",
    [
        *(probed(loss, DRIFTED) for loss in (4.15, 4.12, 4.3, 4.0)),
        probed(4.2, DRIFTED, Ending.OVERSHOT),
        probed(4.2, rejected(Flag.GARBLED, Flag.GARBLED, sound=6)),
        probed(4.2, rejected(Flag.CLIPPED, Flag.CLIPPED, sound=6)),
        probed(4.2, verdict([0.9, 0.9])),
        probed(4.2, None),
    ],
)
def test_no_other_trial_trains_on(outcome: Outcome) -> None:
    assert lower_band(BAND, outcome, None) is None


ACCEPTED = verdict([0.6, 0.6])
WORSE = rejected(Flag.GARBLED, Flag.GARBLED, Flag.GARBLED, sound=5)


@pytest.mark.parametrize(
    ("second", "counts", "other"),
    [
        (probed(4.14, ACCEPTED, checkpoint="second"), "second", DRIFTED),
        (probed(4.14, WORSE, checkpoint="second"), "first", WORSE),
        (probed(4.3, None, Ending.HOPELESS), "first", None),
    ],
)
def test_the_better_probe_and_the_second_ending_count(second: Outcome, counts: str, other: Verdict | None) -> None:
    chosen = combine_outcomes(probed(4.2, DRIFTED, checkpoint="first"), second)
    assert (chosen.checkpoint, chosen.other_verdict, chosen.ending) == (counts, other, second.ending)
    assert chosen.probe_seconds == 24.0 and chosen.point == second.point
