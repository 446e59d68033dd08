"""Advice on what to change after a search, from the flags and endings of its trials."""

import math
from collections import Counter

from results.analysis.ranking import is_accepted, last_verdict
from results.run.ledger import History
from results.run.run_folder import RunFolder
from spaces.records.trial import Ending, Outcome
from trainable.files.trial_folder import TrialFolder
from trainable.probe.criteria.criteria_table import Flag
from trainable.training.outcome import overshot_at_once

LOSS_ROSE, RUSHED = "rose", "rushed"
ADVICE: dict[str, str] = {
    LOSS_ROSE: "the loss rose: lower the upper end of the learning rate in the space",
    Ending.EXHAUSTED: "the loss stayed above the band: raise the upper end of epochs or the learning rate in the space",
    Ending.HOPELESS: "the loss fell too slowly: raise the lower end of the learning rate in the space",
    Ending.OVERSHOT: "the loss fell through the band: lower its learning rate, or use fewer clips per step",
    Ending.DIVERGED: "training diverged: lower the upper end of the learning rate in the space",
    Ending.COLLAPSED: "there was nothing to learn: look for silent or identical clips",
    Ending.FAILED: "trials failed: see their reasons; if memory ran out, lower batch or the size of the adapter",
    RUSHED: "the voice is rushed: leave out hasty clips, or speak with an instruction such as “slow, even narration”",
    **{flag: flag.advice for flag in Flag},
}
MAX_ADVICE = 3
"""Sentences that are shown."""


def advice(run: RunFolder, history: History) -> list[tuple[str, int]]:
    """The sentences that concern most trials, each with their number; empty where every trial was accepted."""
    counts: Counter[str] = Counter()
    for outcome in history.outcomes.values():
        if not is_accepted(outcome, history):
            band_advice = _band_advice(outcome, run, history)
            causes = [ADVICE[cause] for cause in _causes(outcome, run, history) if cause in ADVICE]
            counts.update({band_advice} if band_advice else set(causes))
    return counts.most_common(MAX_ADVICE)


def band_remedy(objective: str) -> str:
    """What to write in place of a band that lies above where a voice begins."""
    return f"write band = {{ of_base = [0.6, 0.97] }} in [objective.{objective}] of your space"


def _band_advice(outcome: Outcome, run: RunFolder, history: History) -> str | None:
    """For a trial that could not but fall below its band, because that lies at or above where the voice begins."""
    band = history.band_of(outcome.trial)
    if outcome.draw is None or band is None or outcome.ending is not Ending.OVERSHOT:
        return None
    objective = outcome.draw.objective
    start = history.base_loss(objective)
    if start is None:
        points = TrialFolder(run.trial(outcome.trial)).read_points()
        start = points[0].loss if points else math.inf
    if start > (band.high if overshot_at_once(outcome) else (band.low + band.high) / 2):
        return None
    return (
        f"the {objective} band {band} lies at or above where this voice begins: a lower learning rate does not help, "
        f"{band_remedy(objective)}"
    )


def _causes(outcome: Outcome, run: RunFolder, history: History) -> list[str]:
    """The flags that rejected a trial, or its ending."""
    verdict = last_verdict(outcome, history)
    if verdict is not None:
        causes: list[str] = [flag for flag in Flag if verdict.flags.get(flag) and flag.rejects]
        if any(reason.startswith("rushed") for reason in verdict.reasons):
            causes = [RUSHED, *(cause for cause in causes if cause != Flag.TEMPO)]
        return causes
    if outcome.ending in (Ending.HOPELESS, Ending.EXHAUSTED):
        points = TrialFolder(run.trial(outcome.trial)).read_points()
        if points and points[-1].loss > points[0].loss:
            return [LOSS_ROSE]
    return [outcome.ending] if outcome.ending else []
