"""The records of a search, and what must hold of them however often it was killed."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results.run.ledger import TrialDrawn, TrialEnded, read_ledger
from results.run.run_folder import RunFolder
from search.proposals.distributions import to_point
from search.proposals.scoring import score_trial
from search.tuning.searcher import trial_spec
from spaces.draw import Draw
from spaces.records.trial import Outcome
from spaces.space import Space
from tests.soak.chaos_driver import FAMILY, STUDY, plan_of
from trainable.files.trial_folder import TrialFolder
from trainable.training.checkpoint import load_weights, read_checkpoints
from trainable.training.run_trial import run_trial


class Inconsistent(Exception):
    """A trial was lost, or run twice."""


@dataclass(frozen=True)
class Records:
    """Ledger and folders at one moment, while no process writes."""

    run: RunFolder
    drawn: dict[str, Draw]
    ended: dict[str, Outcome]
    lines: Counter[tuple[str, str]]
    """How often each trial was drawn and ended."""
    problems: tuple[str, ...]

    def check_continues(self, before: Records) -> None:
        """Raises Inconsistent unless all that was recorded `before` is unchanged and nothing is recorded twice."""
        twice = [key for key, count in self.lines.items() if count > 1]
        for problems in (
            [f"twice: {key}" for key in twice],
            [
                f"draw of {trial} is gone or changed"
                for trial, draw in before.drawn.items()
                if self.drawn.get(trial) != draw
            ],
            [
                f"outcome of {trial} is gone or changed"
                for trial, each in before.ended.items()
                if self.ended.get(trial) != each
            ],
            # A line that a kill has cut is the only one lost.
            [problem for problem in self.problems if "cut off" not in problem],
            [problem for trial in self.drawn for problem in self._problems_of(trial)],
        ):
            if problems:
                raise Inconsistent("\n".join(problems))

    def check_complete(self, trials: int) -> None:
        """Raises Inconsistent unless every trial of the budget was drawn and has ended, with a readable checkpoint."""
        names = [f"t{number:03d}" for number in range(trials)]
        if sorted(self.drawn) != names or sorted(self.ended) != names:
            raise Inconsistent(f"expected {trials} trials, drawn are {sorted(self.drawn)}, ended {sorted(self.ended)}")
        for trial, outcome in self.ended.items():
            if outcome.checkpoint is not None:
                load_weights(self.run.trial(trial) / outcome.checkpoint)

    def _problems_of(self, trial: str) -> list[str]:
        folder = TrialFolder(self.run.trial(trial))
        steps = [point.step for point in folder.read_points()]
        wrong = [] if steps == list(range(len(steps))) else [f"curve of {trial} has the steps {steps}"]
        for kept in read_checkpoints(folder.checkpoints):
            if kept.state.draw != self.drawn[trial]:
                wrong.append(f"checkpoint of {trial} is of another draw")
        outcome = folder.read_outcome()
        if trial in self.ended and outcome != self.ended[trial]:
            wrong.append(f"ledger and folder say different things of {trial}")
        if trial in self.ended and steps and self.ended[trial].point.step != steps[-1]:
            wrong.append(f"{trial} trained on after it had ended")
        return wrong


def records(run: RunFolder) -> Records:
    if not run.ledger.exists():
        return Records(run, {}, {}, Counter(), ())
    history, lines = read_ledger(run.ledger), Counter()
    for line in run.ledger.read_text().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        match entry.get("entry"):
            case "trial_drawn":
                lines["drawn", TrialDrawn.model_validate(entry).trial] += 1
            case "trial_ended":
                lines["ended", TrialEnded.model_validate_json(line).outcome.trial] += 1
            case "base_probed" | "finalist_heard":
                lines[entry["entry"], entry.get("final", {}).get("trial", "base")] += 1
    return Records(run, dict(history.drawn), dict(history.outcomes), lines, history.problems)


def compare_study(folder: Path, run: RunFolder) -> None:
    """Raises Inconsistent unless Optuna was told every outcome of the ledger once, and no other."""
    history = read_ledger(run.ledger)
    space = Space.model_validate(history.search.space)
    told = Counter(
        _key(each["state"], each["params"], each["value"]) for each in json.loads((folder / STUDY).read_text())
    )
    expected: Counter[str] = Counter()
    for trial, outcome in history.outcomes.items():
        scored = score_trial(outcome, history.band_of(trial))
        expected[_key(scored.state.name, to_point(outcome.draw, space), scored.score)] += 1
    if told != expected:
        raise Inconsistent(f"Optuna was told {told - expected} and not {expected - told}")


def _key(state: str, params: dict, value: float | None) -> str:
    numbers = {name: each if isinstance(each, str) else float(each) for name, each in sorted(params.items())}
    return json.dumps([state, numbers, value])


def compare_with_undisturbed(folder: Path, run: RunFolder) -> None:
    """Runs each trial again without a kill. Raises Inconsistent unless curve, checkpoint and verdict are equal."""
    history = read_ledger(run.ledger)
    plan = plan_of(folder, len(history.drawn))
    for trial, draw in history.drawn.items():
        spec = trial_spec(plan, trial, draw, history.band_of(trial))
        apart = spec.model_copy(update={"folder": str(folder / "undisturbed" / trial), "family": FAMILY})
        alone, ended = run_trial(apart, lambda event: None), history.outcomes[trial]
        curves = [[point.losses for point in TrialFolder(path).read_points()] for path in (apart.path, spec.path)]
        kept = [(each.ending, each.kept and each.kept.losses) for each in (alone, ended)]
        verdicts = [each.verdict and each.verdict.model_dump(mode="json") for each in (alone, ended)]
        if curves[0] != curves[1] or kept[0] != kept[1] or not _alike(*verdicts):
            raise Inconsistent(
                f"{trial}, interrupted and resumed, ended differently from an undisturbed run: {ended.reason}; "
                f"{alone.reason}"
            )


def _alike(one: Any, other: Any) -> bool:
    """Equal, except for the order of sums, which depends on the number of threads."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(each, other[name]) for name, each in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(itertools.starmap(_alike, zip(one, other, strict=True)))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    return one == other
