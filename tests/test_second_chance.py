"""What a rejected trial may still try."""

from __future__ import annotations

import pytest

from spaces.band import Band
from spaces.verdict import Flag, Verdict
from tests.crafted import line, point, verdict
from trainable.second_chance import GoBack, GoOn, Mend, mend, second_chance

BAND = Band(low=4.1, high=4.2)


def heard(*flags: Flag, sound: int = 0, drifted: int = 0) -> Verdict:
    """Rejected: a line per flag, and so many sound lines; `drifted` pieces of joined speech are of another voice."""
    lines = [line(f"line {at}", 0.5, (flag,)) for at, flag in enumerate(flags)]
    lines += [line(f"sound {at}", 0.9) for at in range(sound)]
    counts = {flag: flags.count(flag) for flag in flags} | ({Flag.VOICE_DRIFT: drifted} if drifted else {})
    known = {"flags": counts, "failed_lines": len(flags), "lines": tuple(lines), "planned_lines": len(lines)}
    return verdict([0.5], ("rejected",)).model_copy(update=known)


@pytest.mark.parametrize(
    ("rejected", "base", "expected"),
    [
        (verdict([0.9, 0.9]), None, None),
        (heard(sound=8, drifted=2), None, Mend.MORE),
        (heard(Flag.GARBLED, sound=7, drifted=2), None, Mend.MORE),
        (heard(Flag.GARBLED, Flag.GARBLED, sound=6), None, Mend.LESS),
        (heard(Flag.LOOPED, Flag.NO_EOS, sound=6, drifted=2), None, Mend.LESS),
        (heard(Flag.NOISY, Flag.NOISY, Flag.CLIPPED), None, Mend.LESS),
        (heard(Flag.CLIPPED, Flag.CLIPPED, sound=6), None, None),
        # Its lines are sound, but rushed on the whole.
        (heard(sound=8), None, Mend.LESS),
        # A language that the base model cannot speak either.
        (heard(*[Flag.GARBLED] * 4, sound=4), heard(*[Flag.GARBLED] * 5, sound=3), Mend.MORE),
        (heard(*[Flag.GARBLED] * 4, sound=4), heard(*[Flag.GARBLED] * 4, sound=4), Mend.MORE),
        (heard(*[Flag.GARBLED] * 4, sound=4), heard(Flag.GARBLED, sound=7), Mend.LESS),
    ],
)
def test_more_or_less_training_would_mend_it(rejected: Verdict, base: Verdict | None, expected: Mend | None) -> None:
    assert mend(rejected, base) is expected


@pytest.mark.parametrize(("loss", "high"), [(4.2, 4.15), (4.16, 4.13)])
def test_more_training_goes_on_to_the_lower_part_of_the_band(loss: float, high: float) -> None:
    chance = second_chance(BAND, point(9, loss), Mend.MORE, [point(5, 4.3)])
    assert isinstance(chance, GoOn)
    assert (chance.band.low, chance.band.high) == pytest.approx((4.1, high))
    assert loss not in chance.band


@pytest.mark.parametrize("loss", [4.15, 4.12, 4.3, 4.0])
def test_past_the_aim_or_outside_the_band_there_is_nothing_to_go_on_to(loss: float) -> None:
    assert second_chance(BAND, point(9, loss), Mend.MORE, []) is None


@pytest.mark.parametrize(
    ("kept", "step"),
    [
        ([], None),
        ([4.5, 4.3], None),
        ([4.12, 4.05], None),
        ([4.3, 4.19], 1),
        ([4.3, 4.199, 4.17, 4.13], 2),
    ],
)
def test_less_training_goes_back_to_what_was_kept_higher_up_in_the_band(kept: list[float], step: int | None) -> None:
    chance = second_chance(BAND, point(9, 4.12), Mend.LESS, [point(at, loss) for at, loss in enumerate(kept)])
    assert (chance is None) if step is None else chance == GoBack(point(step, kept[step]))


def test_what_no_training_mends_gets_no_second_chance() -> None:
    assert second_chance(BAND, point(9, 4.2), None, [point(5, 4.2)]) is None
