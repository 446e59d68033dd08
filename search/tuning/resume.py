"""What earlier processes of the same search left, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from results.run.ledger import History
from results.run.run_folder import RunFolder
from spaces.draw import Draw
from spaces.records.trial import Ending, Outcome
from trainable.files.trial_folder import TrialFolder


@dataclass(frozen=True)
class ResumeState:
    """Nothing of it is done twice, and nothing is left out."""

    recorded: Sequence[Outcome] = ()
    unrecorded: Sequence[Outcome] = ()
    """Of trials that ended while nobody was left to write it down."""
    unfinished: Sequence[tuple[str, Draw]] = ()
    """Cut off: these trials go on, under their own names, from their last checkpoint."""
    cancelled: Sequence[Draw] = ()
    """Of trials that a Ctrl-C ended and no later trial has taken up: drawn first, as new trials."""
    next_number: int = 0

    @property
    def ended(self) -> tuple[Outcome, ...]:
        return (*self.recorded, *self.unrecorded)


def read_past(run: RunFolder, history: History) -> ResumeState:
    """Compares the ledger with the trials' folders."""
    found = {trial: TrialFolder(run.trial(trial)).read_outcome() for trial in history.running}
    outcomes = {**history.outcomes, **{trial: outcome for trial, outcome in found.items() if outcome is not None}}
    cancelled = {trial for trial, outcome in outcomes.items() if outcome.ending is Ending.CANCELLED}
    tried = [draw for trial, draw in history.drawn.items() if trial not in cancelled]
    return ResumeState(
        recorded=tuple(history.outcomes.values()),
        unrecorded=tuple(outcome for outcome in found.values() if outcome is not None),
        unfinished=tuple((trial, history.drawn[trial]) for trial, outcome in found.items() if outcome is None),
        cancelled=tuple(history.drawn[trial] for trial in sorted(cancelled) if history.drawn[trial] not in tried),
        next_number=_next_number(run, history),
    )


def _next_number(run: RunFolder, history: History) -> int:
    """Above that of every trial that is known or has left a folder: another trial never goes on from there."""
    folders = [folder.name for folder in run.trials.iterdir()] if run.trials.is_dir() else []
    numbers = [int(name[1:]) for name in (*history.drawn, *folders) if name[1:].isdecimal()]
    return max(numbers, default=-1) + 1
