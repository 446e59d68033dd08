"""What runs on other voices are good for in a search: where to begin, and what a loss sounds like."""

from __future__ import annotations

import math
from typing import Any

from results.analysis.acceptance import JudgedLoss
from results.run.ledger import read_ledger
from results.run.run_folder import RunFolder
from search.proposals.distributions import shared_distributions
from spaces.draw import Objective
from spaces.errors import InputError
from spaces.prior_runs import ListeningResult, PriorRun
from spaces.records.trial import Outcome, Point
from spaces.records.verdict import Verdict
from spaces.space import Space
from trainable.files.trial_folder import TrialFolder
from trainable.training.outcome import TrainingAdvice, failed_share, training_advice

MENDED_BY: dict[ListeningResult, TrainingAdvice | None] = {
    ListeningResult.GOOD: None,
    ListeningResult.UNDERTRAINED: TrainingAdvice.MORE,
    ListeningResult.OVERTRAINED: TrainingAdvice.LESS,
}


def prior_losses(space: Space, objective: Objective) -> list[JudgedLoss]:
    """Verdicts on other voices, by the loss they were stopped at."""
    return [
        JudgedLoss(tested.loss, tested.sounded is ListeningResult.GOOD, MENDED_BY[tested.sounded])
        for tested in space.evidence
        if tested.objective is objective
    ]


def starting_points(space: Space, clips: int) -> list[dict[str, Any]]:
    """What was good elsewhere and lies in the space's domains, as values of those fields that are searched; voices of
    about as many clips come first. A run gets all the epochs that it may have, since its band ends it."""
    good = [tested for tested in space.evidence if tested.sounded is ListeningResult.GOOD]
    good.sort(key=lambda tested: abs(math.log(tested.clips / clips)))
    points: list[dict[str, Any]] = []
    for tested in good:
        point = _point(space, tested)
        if point is not None and point not in points:
            points.append(point)
    return points


def _point(space: Space, tested: PriorRun) -> dict[str, Any] | None:
    """None where the space has no such draw."""
    point = {}
    for name, domain in space.draw.items():
        value = max(domain.boundary_values()) if name == "epochs" else getattr(tested, name, None)
        if value is None:
            continue
        if value not in domain:
            return None
        if name in shared_distributions(space):
            point[name] = value
    return point


def read_prior_runs(run: RunFolder, model: str) -> tuple[PriorRun, ...]:
    """What another run heard of its trials, as evidence for a search with the same model.

    Raises InputError when the run has no ledger, is of another model, or heard nothing that says how much training is
    right.
    """
    history = read_ledger(run.ledger)
    if history.search is None or history.search.model != model:
        other = history.search.model if history.search else "unknown"
        raise InputError(f"--like {run.path}: its model is {other}, and this search's {model}: their losses differ")
    voice = history.search.data[0]
    share = failed_share(history.base.verdict) if history.base and history.base.verdict else None
    tested = []
    for outcome in history.outcomes.values():
        start = next(iter(TrialFolder(run.trial(outcome.trial)).read_points()), None)
        for verdict, kept in ((outcome.verdict, outcome.kept), (outcome.other_verdict, outcome.other_kept)):
            if verdict is not None and kept is not None:
                tested += _tested(voice, outcome, start, verdict, kept, share)
    if not tested:
        raise InputError(f"--like {run.path}: none of its trials was heard; give a run with verdicts")
    return tuple(tested)


def _tested(
    voice: str, outcome: Outcome, start: Point | None, verdict: Verdict, kept: Point, share: float | None
) -> list[PriorRun]:
    """Nothing of a rejection that no amount of training would mend."""
    draw, wanted = outcome.draw, training_advice(verdict, share)
    if draw is None or not kept.epoch or (wanted is None and not verdict.accepted):
        return []
    return [
        PriorRun(
            voice=voice,
            objective=draw.objective,
            clips=max(1, round(kept.clips / kept.epoch)),
            epochs=kept.epoch,
            lora_lr=draw.lora_lr,
            rank=draw.rank,
            alpha_ratio=draw.alpha_ratio,
            clips_per_step=draw.clips_per_step,
            start=start.loss if start else None,
            loss=kept.loss,
            sounded=next(sounded for sounded, by in MENDED_BY.items() if by is wanted),
            remark=outcome.trial,
        )
    ]
