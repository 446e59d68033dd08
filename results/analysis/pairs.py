"""Pairs of recordings of the same line: one by a trial, one by the base model."""

from results.run.ledger import History
from results.run.vote import VotePair
from spaces.records.paired import with_occurrence
from spaces.records.trial import BASE
from spaces.records.verdict import SpokenLine, Verdict


def comparable_verdict(history: History, trial: str, confirmation: bool) -> Verdict | None:
    """The verdict of a trial, or of the base model: on the lines of the confirmation, or on those of every trial.

    For a finalist confirmed below full strength, the latter is its verdict at that strength.
    """
    final = history.confirmations.get(trial)
    confirmed = final.confirmed if final else None
    if confirmation:
        return confirmed
    outcome = history.base if trial == BASE else history.outcomes.get(trial)
    if final is not None and confirmed is not None:
        for weaker in final.weaker:
            if weaker.strength == confirmed.strength:
                return weaker
    return outcome.verdict if outcome else None


def pairs_with_base(history: History, trial: str) -> dict[VotePair, tuple[SpokenLine, SpokenLine]]:
    """Every line that the trial and the base model both spoke: the trial's, then the base's."""
    pairs = {}
    for confirmation in (False, True):
        own, base = comparable_verdict(history, trial, confirmation), comparable_verdict(history, BASE, confirmation)
        if own is None or base is None or trial == BASE:
            continue
        known = dict(with_occurrence(base.lines))
        for (text, occurrence), line in with_occurrence(own.lines):
            if (text, occurrence) in known:
                pairs[VotePair(trial, confirmation, text, occurrence)] = (line, known[text, occurrence])
    return pairs
