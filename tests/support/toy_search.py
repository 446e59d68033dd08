"""A plan for a search that takes seconds, with a toy voice, model and space."""

from __future__ import annotations

from pathlib import Path

from results.run.run_folder import RunFolder
from search.planning.plan import Plan
from spaces.records.trial import Outcome
from spaces.space import Space
from tests.support.toy_family import make_toy_model
from tests.support.voices import make_voice
from trainable.dataset.source import Source

BAND = (0.55, 0.7)


def toy_space(model: str, finalists: int = 0, **draw) -> Space:
    """Without finalists by default: their confirmations take longer than the rest of the search."""
    domains = {
        "objective": "distance",
        "weight": [1, 2],
        "vector_lr": {"low": 0.02, "high": 0.2, "log": True},
        "epochs": {"low": 30, "high": 60},
        "batch": 1,
        "accumulation": 2,
    }
    return Space.model_validate(
        {
            "name": "toy",
            "about": "a search in seconds",
            "family": "toy",
            "model": model,
            "draw": {**domains, **draw},
            "objective": {"distance": {"band": list(BAND)}},
            "budget": {"trials": 3},
            "probe": {"lines": "digits", "recogniser": "none", "finalists": finalists},
        }
    )


def toy_plan(
    folder: Path, family: str = "tests.support.toy_family", trials: int = 3, finalists: int = 0, **draw
) -> Plan:
    """A plan whose voice, model and run are in `folder`; keywords replace domains."""
    voice, model = folder / "voice", str(make_toy_model(folder / "model"))
    if not voice.exists():
        make_voice(voice)
    space = toy_space(model, finalists, **draw)
    return Plan(
        space=space,
        family=family,
        sources=(Source.parse(str(voice)),),
        auto_reference=False,
        model=model,
        run=RunFolder(folder / "run"),
        resume=False,
        seed=1,
        budget=space.budget.model_copy(update={"trials": trials}),
        address="local",
        cache=folder / "cache",
    )


def run_alone(plan: Plan, outcome: Outcome, folder: Path) -> Outcome:
    """What the same trial comes to in this process, without Ray."""
    from search.tuning.searcher import trial_spec
    from trainable.training.run_trial import run_trial

    spec = trial_spec(plan, outcome.trial, outcome.draw, plan.space.band(outcome.draw.objective))
    return run_trial(spec.model_copy(update={"folder": str(folder / outcome.trial)}), lambda event: None)


def equal_parts(outcome: Outcome) -> tuple:
    """What is equal however a trial was run."""
    return outcome.draw, outcome.ending, outcome.point.losses, outcome.kept.losses, outcome.verdict.score
