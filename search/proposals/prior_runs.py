"""What a search learns from runs on other voices: points to try first, and which losses were accepted."""

import math
from typing import Any

from results.analysis.acceptance import JudgedLoss
from results.run.ledger import History, read_ledger
from results.run.run_folder import RunFolder
from search.proposals.distributions import shared_distributions
from spaces.errors import InputError
from spaces.families import entry_of
from spaces.prior_runs import ListeningResult, PriorRun
from spaces.records.trial import Outcome, Point
from spaces.records.verdict import Verdict
from spaces.space import Space
from trainable.files.trial_folder import TrialFolder
from trainable.training.outcome import TrainingAdvice, failed_share, training_advice

ADVICE: dict[ListeningResult, TrainingAdvice | None] = {
    ListeningResult.GOOD: None,
    ListeningResult.UNDERTRAINED: TrainingAdvice.MORE,
    ListeningResult.OVERTRAINED: TrainingAdvice.LESS,
}


def prior_losses(space: Space, objective: str) -> list[JudgedLoss]:
    """The verdicts of prior runs, with the loss at which each run stopped."""
    return [
        JudgedLoss(prior.loss, prior.sounded is ListeningResult.GOOD, ADVICE[prior.sounded])
        for prior in space.evidence
        if prior.objective == objective
    ]


def starting_points(space: Space, clips: int) -> list[dict[str, Any]]:
    """Points that gave good adapters for other voices and lie in the space's domains.

    Voices with about as many clips come first. Each point has the most epochs of its domain, because the band ends a
    run.
    """
    good = [prior for prior in space.evidence if prior.sounded is ListeningResult.GOOD]
    good.sort(key=lambda prior: abs(math.log(prior.clips / clips)))
    points: list[dict[str, Any]] = []
    for prior in good:
        point = _point(space, prior)
        if point is not None and point not in points:
            points.append(point)
    return points


def _point(space: Space, prior: PriorRun) -> dict[str, Any] | None:
    """The searched fields of a prior run as a point; None if the space has no such draw."""
    point = {}
    for name, domain in space.draw.items():
        value = max(domain.boundary_values()) if name == "epochs" else getattr(prior, name, None)
        if value is None:
            continue
        if value not in domain:
            return None
        if name in shared_distributions(space):
            point[name] = value
    return point


def read_prior_runs(run: RunFolder, model: str) -> tuple[PriorRun, ...]:
    """The probed trials of another run, as evidence for a search with the same model.

    Raises InputError if the run has no ledger, has another model, or has no verdict about how much training is right.
    """
    history = read_ledger(run.ledger)
    if history.search is None or history.search.model != model:
        other = history.search.model if history.search else "unknown"
        raise InputError(
            f"--like {run.path}: its model is {other}, expected {model}, because losses of different models cannot be "
            "compared; give a run with the same model"
        )
    voice = history.search.data[0]
    share = failed_share(history.base.verdict) if history.base and history.base.verdict else None
    prior_runs: list[PriorRun] = []
    for outcome in history.outcomes.values():
        start = _start(run, outcome, history)
        for verdict, kept in ((outcome.verdict, outcome.kept), (outcome.other_verdict, outcome.other_kept)):
            if verdict is not None and kept is not None:
                prior_runs += _to_prior_run(voice, outcome, start, verdict, kept, share)
    if not prior_runs:
        raise InputError(f"--like {run.path}: none of its trials was probed; give a run with verdicts")
    return tuple(prior_runs)


def _start(run: RunFolder, outcome: Outcome, history: History) -> float | None:
    """The base model's loss, or where it was not measured that of the curve's first clips."""
    base = history.base_loss(outcome.draw.objective) if outcome.draw else None
    if base is not None:
        return base
    first = next(iter(TrialFolder(run.trial(outcome.trial)).read_points()), None)
    return first.loss if first else None


def _to_prior_run(
    voice: str, outcome: Outcome, start: float | None, verdict: Verdict, kept: Point, share: float | None
) -> list[PriorRun]:
    """One prior run; none for a rejection that neither more nor less training would change."""
    draw, advice = outcome.draw, training_advice(verdict, share)
    if draw is None or not kept.epoch or (advice is None and not verdict.accepted):
        return []
    kind = entry_of(draw).prior_run
    return [
        kind(
            voice=voice,
            objective=draw.objective,
            clips=max(1, round(kept.clips / kept.epoch)),
            epochs=kept.epoch,
            **{name: getattr(draw, name) for name in kind.model_fields.keys() - PriorRun.model_fields.keys()},
            clips_per_step=draw.clips_per_step,
            start=start,
            loss=kept.loss,
            sounded=next(result for result, needed in ADVICE.items() if needed is advice),
            remark=outcome.trial,
        )
    ]
