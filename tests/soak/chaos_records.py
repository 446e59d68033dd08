"""What a search has on record, and what must hold of it however often it was killed."""

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
from search.tuning.run_trials import job_of
from spaces.draw import Draw
from spaces.records.trial import Outcome
from spaces.space import Space
from tests.soak.chaos_driver import FAMILY, STUDY, plan_of
from trainable.files.trial_folder import TrialFolder
from trainable.training.checkpoint import load_weights, read_checkpoints
from trainable.training.run_trial import run_trial


class Amiss(Exception):
    """Something was lost, or done twice."""


@dataclass(frozen=True)
class Records:
    """Ledger and folders at one moment, nobody writing."""

    run: RunFolder
    drawn: dict[str, Draw]
    ended: dict[str, Outcome]
    lines: Counter[tuple[str, str]]
    """How often each trial was drawn and ended."""
    problems: tuple[str, ...]

    def must_follow(self, before: Records) -> None:
        """What was on record is, word for word, and nothing is there twice."""
        twice = [key for key, count in self.lines.items() if count > 1]
        for amiss in (
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
            # A line that a kill has cut costs only itself.
            [problem for problem in self.problems if "cut off" not in problem],
            [wrong for trial in self.drawn for wrong in self._wrong(trial)],
        ):
            if amiss:
                raise Amiss("\n".join(amiss))

    def must_be_whole(self, trials: int) -> None:
        """Every trial of the budget was drawn once and has ended once, and its checkpoint can be exported."""
        names = [f"t{number:03d}" for number in range(trials)]
        if sorted(self.drawn) != names or sorted(self.ended) != names:
            raise Amiss(f"expected {trials} trials, drawn are {sorted(self.drawn)}, ended {sorted(self.ended)}")
        for trial, outcome in self.ended.items():
            if outcome.checkpoint is not None:
                load_weights(self.run.trial(trial) / outcome.checkpoint)

    def _wrong(self, trial: str) -> list[str]:
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
    """Optuna was told every ending of the ledger once, and waits for none."""
    history = read_ledger(run.ledger)
    space = Space.model_validate(history.search.space)
    told = Counter(
        _key(each["state"], each["params"], each["value"]) for each in json.loads((folder / STUDY).read_text())
    )
    expected: Counter[str] = Counter()
    for trial, outcome in history.outcomes.items():
        telling_of = score_trial(outcome, history.band_of(trial))
        expected[_key(telling_of.state.name, to_point(outcome.draw, space), telling_of.score)] += 1
    if told != expected:
        raise Amiss(f"Optuna was told {told - expected} and not {expected - told}")


def _key(state: str, params: dict, value: float | None) -> str:
    numbers = {name: each if isinstance(each, str) else float(each) for name, each in sorted(params.items())}
    return json.dumps([state, numbers, value])


def compare_with_undisturbed(folder: Path, run: RunFolder) -> None:
    """Each trial again by itself, without a kill: the same curve, the same checkpoint, the same verdict."""
    history = read_ledger(run.ledger)
    plan = plan_of(folder, len(history.drawn))
    for trial, draw in history.drawn.items():
        job = job_of(plan, trial, draw, history.band_of(trial))
        apart = job.model_copy(update={"folder": str(folder / "undisturbed" / trial), "family": FAMILY})
        alone, ended = run_trial(apart, lambda point, phase: None), history.outcomes[trial]
        curves = [[point.losses for point in TrialFolder(path).read_points()] for path in (apart.path, job.path)]
        kept = [(each.ending, each.kept and each.kept.losses) for each in (alone, ended)]
        verdicts = [each.verdict and each.verdict.model_dump(mode="json") for each in (alone, ended)]
        if curves[0] != curves[1] or kept[0] != kept[1] or not _alike(*verdicts):
            raise Amiss(
                f"{trial}, cut off and resumed, ended in another way than by itself: {ended.reason}; {alone.reason}"
            )


def _alike(one: Any, other: Any) -> bool:
    """The same, but for the order of sums, which the number of threads decides."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(each, other[name]) for name, each in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(itertools.starmap(_alike, zip(one, other, strict=True)))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    return one == other
