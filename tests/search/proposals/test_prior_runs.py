"""A search learns from the verdicts in a finished run of a similar voice."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from results.run.run_folder import RunFolder
from search.planning.arguments import Arguments
from search.planning.plan import make_plan
from search.proposals.prior_runs import prior_losses, read_prior_runs, starting_points
from spaces.errors import InputError
from spaces.prior_runs import ListeningResult
from spaces.qwen3_tts import Objective
from spaces.space import Space, load_space
from tests.support.made_runs import write_run

NOW = datetime(2026, 1, 2)


def test_probed_trials_are_evidence(tmp_path):
    found = {prior.remark: prior for prior in read_prior_runs(write_run(tmp_path), "model")}
    assert {name: prior.sounded for name, prior in found.items()} == {
        "t1": ListeningResult.GOOD,
        "t3": ListeningResult.GOOD,
        "t4": ListeningResult.OVERTRAINED,
    }
    first = found["t1"]
    assert (first.voice, first.clips, first.epochs, first.loss, first.start) == ("/voices/voice", 48, 2.0, 2.0, 4.2)
    assert (first.objective, first.rank, first.lora_lr) == (Objective.ALIGNED, 8, 1e-3)


def test_a_search_starts_with_points_that_were_good_for_a_similar_voice(tmp_path):
    run = write_run(tmp_path / "other")
    arguments = Arguments(space="demo", model="model", like=(run.path,), out=tmp_path / "run")
    plan, plain = make_plan(arguments, NOW, {}), make_plan(Arguments(space="demo", out=tmp_path / "run"), NOW, {})
    known = len(load_space("demo").evidence)
    assert (len(plan.space.evidence), len(plain.space.evidence)) == (known + 3, known)
    points = starting_points(plan.space, clips=48)
    assert {point["rank"] for point in points} >= {8, 16}
    assert [judged.accepted for judged in prior_losses(plan.space, Objective.ALIGNED)][-3:] == [True, True, False]


@pytest.mark.parametrize(
    ("band", "start", "expected"),
    [
        # Scaled from a voice that begins at 4 to one that begins at 2.
        ({"of_base": [0.5, 0.9]}, 4.0, (2.0, 1.5)),
        ({"low": 4.1, "high": 4.2, "or_of_base": [0.5, 0.9]}, 4.0, (2.0, 1.5)),
        ({"of_base": [0.5, 0.9]}, None, None),
        # In nats, as they are.
        ({"low": 1.1, "high": 1.2, "or_of_base": [0.5, 0.9]}, 4.0, (4.0, 3.0)),
        ([1.1, 1.2], None, (None, 3.0)),
        ({"auto_within": [1.0, 3.0]}, 4.0, (4.0, 3.0)),
    ],
)
def test_for_a_band_of_shares_prior_losses_count_as_shares_of_their_start(band, start, expected):
    prior = {"voice": "other", "objective": "aligned", "clips": 60, "epochs": 2, "start": start, "loss": 3.0}
    data = load_space("demo").model_dump(mode="json")
    recipe = {**data["objective"]["aligned"], "band": band}
    run = {**prior, "lora_lr": 1e-5, "rank": 8, "alpha_ratio": 2, "sounded": "good"}
    space = Space.model_validate({**data, "objective": {"aligned": recipe}, "evidence": [run]})
    for each in (space.with_base({"aligned": 2.0}), space.with_base({"aligned": 2.0}).with_base({"aligned": 2.0})):
        assert [(one.start, one.loss) for one in each.evidence] == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("make", "model", "message"),
    [
        (write_run, "another", "its model is model, expected another"),
        (lambda path: RunFolder(path), "model", "ledger"),
    ],
)
def test_a_run_that_cannot_be_learned_from_is_refused(tmp_path, make, model, message):
    with pytest.raises(InputError, match=message):
        read_prior_runs(make(tmp_path), model)


def test_prior_runs_cannot_be_added_on_resume(tmp_path):
    with pytest.raises(InputError, match="--like cannot be given with --resume"):
        make_plan(Arguments(resume=True, out=write_run(tmp_path).path, like=(Path("x"),)), NOW, {})
