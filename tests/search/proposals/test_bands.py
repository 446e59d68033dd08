"""Each trial keeps the band that it was given when it was drawn, and the ledger records it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from results.run.ledger import BaseProbed, History, Ledger, TrialDrawn, TrialEnded, read_ledger
from results.run.run_folder import RunFolder
from search.proposals.bands import BandTracker
from spaces.band import Band
from spaces.qwen3_tts import Objective
from spaces.records.trial import Ending, Outcome
from spaces.space import Space, load_space
from tests.support.made_runs import base, base_losses, draw, outcome, point, started, verdict
from trainable.probe.criteria.criteria_table import Flag

BASE = {"aligned": 8.0, "guide": 5.0}
VOICE = load_space("voice").with_base(BASE)
START = VOICE.band(Objective.ALIGNED)
GARBLED = verdict([0.2] * 4, ("garbled",), Flag.GARBLED)
GOOD = verdict([0.9] * 4)


def ended(trial: str, loss: float, heard=GARBLED, objective: str = "aligned") -> Outcome:
    return outcome(trial, verdict=heard, drawn=draw(objective=objective), stopped=point(9, loss))


def history_of(run: RunFolder, *outcomes: Outcome, bands: dict[str, Band] | None = None) -> History:
    """The history of a search in the space `voice` with these trials."""
    ledger = Ledger(run.ledger)
    ledger.append(started(space="voice"))
    ledger.append(BaseProbed(outcome=base([0.6] * 4, base_losses(**BASE))))
    for each in outcomes:
        ledger.append(TrialDrawn(trial=each.trial, draw=each.draw, band=(bands or {}).get(each.trial)))
        ledger.append(TrialEnded(outcome=each))
    history = read_ledger(run.ledger)
    assert not history.problems
    return history


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def test_without_verdicts_an_automatic_band_is_its_start() -> None:
    bands = BandTracker(VOICE)
    assert bands.band_for("t000", draw()) == START
    assert bands.band_for("t001", draw(objective="guide")) == VOICE.band(Objective.GUIDE)


def test_verdicts_move_only_the_band_of_their_objective(run: RunFolder) -> None:
    bands = BandTracker(VOICE, history_of(run, ended("t000", 6.0), ended("t001", 4.15, objective="guide")))
    moved = bands.band_for("t002", draw())
    assert moved.low > 6.0 and moved.high == START.high
    assert bands.band_for("t003", draw(objective="guide")) == VOICE.band(Objective.GUIDE)


def test_a_trial_that_ends_counts_for_later_draws() -> None:
    bands = BandTracker(VOICE)
    before = bands.band_for("t000", draw())
    bands.add(ended("t000", 6.0))
    assert bands.band_for("t000", draw()) == before == START
    assert bands.band_for("t001", draw()) != START


def test_a_resumed_search_keeps_the_bands_of_its_trials(run: RunFolder) -> None:
    given = Band(low=5.0, high=6.0)
    ledger, history = Ledger(run.ledger), history_of(run, ended("t000", 6.0), ended("t001", 5.5, GOOD))
    ledger.append(TrialDrawn(trial="t002", draw=draw(), band=given))
    history = read_ledger(run.ledger)
    assert history.band_of("t002") == given and history.running == ("t002",)
    assert BandTracker(VOICE, history).band_for("t002", draw()) == given
    fresh = BandTracker(VOICE, history).band_for("t003", draw())
    assert fresh == BandTracker(VOICE, history).band_for("t003", draw()) and fresh not in (given, START)


def test_for_an_older_ledger_the_band_comes_from_the_space(run: RunFolder) -> None:
    history_of(run, ended("t000", 6.0))
    lines = [json.loads(line) for line in run.ledger.read_text().splitlines()]
    for line in lines:
        line.pop("band", None)
        if line["entry"] == "search_started":
            line["space"]["objective"]["aligned"]["band"] = {"low": 5.0, "high": 7.0}
    run.ledger.write_text("".join(json.dumps(line) + "\n" for line in lines))
    history = read_ledger(run.ledger)
    assert not history.problems and history.bands == {}
    assert history.band_of("t000") == history.band(Objective.ALIGNED) == Band(low=5.0, high=7.0)
    assert history.band_of("nobody") is None


def test_a_band_of_shares_is_known_after_the_baseline(run: RunFolder) -> None:
    history = history_of(run)
    assert (history.band("aligned"), history.band("guide")) == (START, Band(low=4.1, high=4.2))
    assert History(search=history.search).band("aligned") is None


def over(trial: str, loss: float, epoch: float = 1.0, ending: Ending = Ending.OVERSHOT) -> Outcome:
    """A trial of 16 clips, four per step, that ended below its band."""
    stopped = point(4, loss).model_copy(update={"clips": round(16 * epoch), "epoch": epoch})
    return outcome(trial, ending, drawn=draw(accumulation=4), stopped=stopped)


LOWERED = Band(low=0.7 * 2.0, high=7.76)


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ((over("a", 2.1), over("b", 2.0)), START),
        ((over("a", 2.1), over("b", 2.0), over("c", 2.2)), LOWERED),
        # Not in a row, not at their first settled point, or not below the band.
        ((over("a", 2.1), over("b", 2.0), ended("c", 6.0, None), over("d", 2.2)), START),
        ((over("a", 2.1), over("b", 2.0), over("c", 2.2, epoch=1.25)), START),
        ((over("a", 2.1), over("b", 2.0), over("c", 4.9)), START),
        ((over("a", 2.1), over("b", 2.0), over("c", 2.2, ending=Ending.EXHAUSTED)), START),
        # What was stopped from outside says nothing.
        ((over("a", 2.1), over("b", 2.0), over("c", 3.0, ending=Ending.CANCELLED), over("d", 2.2)), LOWERED),
        # Trials that had the band before it was lowered are not below the new one; three that are lower it again.
        ((*(over(name, 2.0) for name in "abcdef"),), LOWERED),
        ((*(over(name, 2.0) for name in "abc"), *(over(name, 1.0) for name in "def")), Band(low=0.7, high=7.76)),
    ],
)
def test_three_trials_in_a_row_that_overshoot_at_once_lower_the_band(run: RunFolder, trials: tuple, expected) -> None:
    history = history_of(run, *trials)
    bands = BandTracker(VOICE, history)
    band = bands.current_band("aligned")
    assert (band.low, band.high) == pytest.approx((expected.low, expected.high))
    assert BandTracker(VOICE, history).current_band("aligned") == band, "a resumed search has the same band"
    for each in history.outcomes.values():
        # A search that resumes is told its trials again.
        bands.add(each)
    assert bands.current_band("aligned") == band
    told = bands.notices()
    assert [line for line in told if "it now moves within" in line] == told and len(told) == (expected != START)
    assert bands.notices() == []


def test_a_lowered_band_goes_no_higher_than_the_voice_begins_and_to_where_adapters_are_accepted(run: RunFolder) -> None:
    space = mine({"auto_within": [4.5, 7.9]})
    bands = BandTracker(space, history_of(run))
    bands._base_losses = base_losses(aligned=2.5, guide=5.0)
    for name in "abc":
        bands.add(over(name, 2.4))
    band = bands.current_band("aligned")
    assert (band.low, band.high) == pytest.approx((0.7 * 2.4, 2.5))
    drifted = verdict([0.2] * 4, ("voice drifted",)).model_copy(update={"flags": {Flag.VOICE_DRIFT: 1}})
    for name in "abc":
        heard = over(name, 2.4)
        bands.add(heard.model_copy(update={"kept": heard.point, "verdict": drifted}))
    assert bands.current_band("aligned").high < 2.4, "what was heard is undertrained"


def test_a_fixed_band_is_kept_and_the_user_is_told_once(run: RunFolder) -> None:
    bands = BandTracker(mine([9.0, 9.5]), history_of(run, *(over(name, 7.9) for name in "abc")))
    assert bands.current_band("aligned") == Band(low=9.0, high=9.5)
    [line] = bands.notices()
    assert "lies at or above where this voice begins, 8.000" in line and "of_base" in line and bands.notices() == []
    fast = BandTracker(mine([3.0, 3.5]), history_of(RunFolder(run.path / "fast"), *(over(name, 2.0) for name in "abc")))
    assert fast.notices() == [], "these fell through a band that they began above"


def mine(band: object) -> Space:
    data = load_space("voice").model_dump(mode="json")
    aligned = {**data["objective"]["aligned"], "band": band}
    return Space.model_validate({**data, "objective": {**data["objective"], "aligned": aligned}})
