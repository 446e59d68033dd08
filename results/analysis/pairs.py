"""Which verdicts of a trial and of the base model are of the same lines, and which of those lines both have said."""

from __future__ import annotations

from results.run.ledger import History
from results.run.vote import VotePair
from spaces.records.paired import with_occurrence
from spaces.records.trial import BASE
from spaces.records.verdict import SpokenLine, Verdict


def comparable_verdict(history: History, trial: str, confirmation: bool) -> Verdict | None:
    """What was heard of a trial, or of the base model: on the lines of finalists, or on those of every trial.

    Of a finalist that was confirmed at less than its full strength, the latter at that strength too.
    """
    final = history.confirmations.get(trial)
    confirmed = final.confirmed if final else None
    if confirmation:
        return confirmed
    outcome = history.base if trial == BASE else history.outcomes.get(trial)
    if confirmed is not None:
        for weaker in final.weaker:
            if weaker.strength == confirmed.strength:
                return weaker
    return outcome.verdict if outcome else None


def pairs_with_base(history: History, trial: str) -> dict[VotePair, tuple[SpokenLine, SpokenLine]]:
    """Every line that this trial and the base model have both said: the trial's and the base's."""
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
