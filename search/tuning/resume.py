"""Reads what earlier processes of the same search left: which trials ended, and which are to go on."""

from collections.abc import Sequence
from dataclasses import dataclass

from results.run.ledger import History
from results.run.run_folder import RunFolder
from spaces.draw import Draw
from spaces.records.trial import Ending, Outcome
from trainable.files.trial_folder import TrialFolder


@dataclass(frozen=True)
class ResumeState:
    """The trials of earlier processes, by what is left to do with them."""

    recorded: Sequence[Outcome] = ()
    unrecorded: Sequence[Outcome] = ()
    """Outcomes in the folders of trials, without a line in the ledger."""
    unfinished: Sequence[tuple[str, Draw]] = ()
    """Interrupted trials, which go on under their own names from their last checkpoints."""
    cancelled: Sequence[Draw] = ()
    """Draws of trials that a Ctrl-C ended and that no later trial has repeated: the first draws of new trials."""
    next_number: int = 0

    @property
    def ended(self) -> tuple[Outcome, ...]:
        return (*self.recorded, *self.unrecorded)

    @property
    def cancellations(self) -> int:
        """Trials that a Ctrl-C ended; each may be replaced by a new one."""
        return sum(outcome.ending is Ending.CANCELLED for outcome in self.ended)


def read_resume_state(run: RunFolder, history: History) -> ResumeState:
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
    """Above the numbers of all trials in the ledger and of all folders: no new trial resumes from an old folder."""
    folders = [folder.name for folder in run.trials.iterdir()] if run.trials.is_dir() else []
    numbers = [int(name[1:]) for name in (*history.drawn, *folders) if name[1:].isdecimal()]
    return max(numbers, default=-1) + 1
