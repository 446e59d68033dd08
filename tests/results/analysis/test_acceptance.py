"""The acceptance model: the band is wide with few verdicts and converges with many."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.analysis.acceptance import AcceptanceModel, JudgedLoss
from spaces.band import Band
from trainable.training.outcome import TrainingAdvice

START = Band(low=4.5, high=7.9)
LOSSES = st.floats(START.low, START.high)
VERDICTS = st.lists(
    st.builds(JudgedLoss, LOSSES, st.booleans(), st.sampled_from([None, TrainingAdvice.MORE, TrainingAdvice.LESS])).map(
        lambda heard: heard._replace(advice=None) if heard.accepted else heard
    ),
    max_size=30,
)


def test_without_verdicts_the_band_is_the_start_interval() -> None:
    known = AcceptanceModel([], START)
    assert known.band() == START
    assert known.probability(6.0) == 0.5
    assert known.interval(6.0) == pytest.approx((0.025, 0.975), abs=0.001)


@given(VERDICTS, LOSSES)
def test_probability_interval_and_band_are_consistent(verdicts: list[JudgedLoss], loss: float) -> None:
    known = AcceptanceModel(verdicts, START)
    low, high = known.interval(loss)
    assert 0 <= low < known.probability(loss) < high <= 1
    band = known.band()
    assert START.low <= band.low < band.high <= START.high
    assert band.low <= band.aim[0] < band.aim[1] <= band.high
    likeliest = max(known.probability(START.low + step / 400 * (START.high - START.low)) for step in range(401))
    inside = [known.probability(band.low + step / 20 * (band.high - band.low)) for step in range(21)]
    assert max(inside) > 0.97 * likeliest


@given(VERDICTS, st.randoms())
def test_the_order_of_verdicts_does_not_matter(verdicts: list[JudgedLoss], chance: random.Random) -> None:
    shuffled = list(verdicts)
    chance.shuffle(shuffled)
    one, other = AcceptanceModel(verdicts, START), AcceptanceModel(shuffled, START)
    assert one.probability(6.0) == pytest.approx(other.probability(6.0))


@given(VERDICTS, LOSSES)
def test_one_more_acceptance_makes_acceptance_likelier_there(verdicts: list[JudgedLoss], loss: float) -> None:
    """Compared at an equal bandwidth: both have as many verdicts."""
    more, less = (AcceptanceModel([*verdicts, JudgedLoss(loss, accepted)], START) for accepted in (True, False))
    assert more.probability(loss) > less.probability(loss)


def test_the_interval_narrows_with_more_verdicts() -> None:
    widths = []
    for count in (0, 1, 4, 16):
        low, high = AcceptanceModel([JudgedLoss(6.0, True)] * count, START).interval(6.0)
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize(
    ("verdict", "ruled_out", "open_still"),
    [
        (JudgedLoss(6.5, False, TrainingAdvice.MORE), (6.5, 7.0, 7.9), (5.0, 5.5)),
        (JudgedLoss(6.0, False, TrainingAdvice.LESS), (6.0, 5.5, 4.5), (7.0, 7.5)),
        (JudgedLoss(6.0, False), (6.0,), (4.5, 5.0, 7.0, 7.9)),
    ],
)
def test_a_rejection_rules_out_losses_on_its_side(
    verdict: JudgedLoss, ruled_out: tuple[float, ...], open_still: tuple[float, ...]
) -> None:
    known = AcceptanceModel([verdict], START)
    assert all(known.probability(loss) == pytest.approx(1 / 3) for loss in ruled_out)
    assert all(known.probability(loss) > 0.48 for loss in open_still)
    assert verdict.loss not in known.band()


def test_one_verdict_leaves_the_band_wide() -> None:
    for verdict in (
        JudgedLoss(7.9, False, TrainingAdvice.MORE),
        JudgedLoss(4.6, False, TrainingAdvice.LESS),
        JudgedLoss(6.2, True),
    ):
        band = AcceptanceModel([verdict], START).band()
        assert band.high - band.low > 0.4 * (START.high - START.low)


@pytest.mark.parametrize("truth", [5.2, 6.2, 7.4])
@pytest.mark.parametrize("seed", range(4))
def test_the_band_converges_to_where_adapters_are_accepted(truth: float, seed: int) -> None:
    """Adapters within 0.2 nats of the truth are accepted nine times in ten; the advice is wrong once in ten."""
    chance, verdicts = random.Random(seed), []
    for _ in range(24):
        loss = AcceptanceModel(verdicts, START).band().aim[1]
        accepted = abs(loss - truth) < 0.2 and chance.random() < 0.9
        more = (loss > truth) is (chance.random() < 0.9)
        verdicts.append(
            JudgedLoss(loss, accepted, None if accepted else TrainingAdvice.MORE if more else TrainingAdvice.LESS)
        )
    band = AcceptanceModel(verdicts, START).band()
    assert truth in band and band.high - band.low < 0.4 * (START.high - START.low)
    assert sum(verdict.accepted for verdict in verdicts[12:]) >= 4
