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
from spaces.records.trial import Outcome
from spaces.space import load_space
from tests.support.made_runs import base, draw, outcome, point, started, verdict
from trainable.probe.criteria.criteria_table import Flag

VOICE = load_space("voice")
START = VOICE.band(Objective.ALIGNED)
GARBLED = verdict([0.2] * 4, ("garbled",), Flag.GARBLED)
GOOD = verdict([0.9] * 4)


def ended(trial: str, loss: float, heard=GARBLED, objective: str = "aligned") -> Outcome:
    return outcome(trial, verdict=heard, drawn=draw(objective=objective), stopped=point(9, loss))


def history_of(run: RunFolder, *outcomes: Outcome, bands: dict[str, Band] | None = None) -> History:
    """The history of a search in the space `voice` with these trials."""
    ledger = Ledger(run.ledger)
    ledger.append(started(space="voice"))
    ledger.append(BaseProbed(outcome=base([0.6] * 4)))
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
