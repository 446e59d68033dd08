"""A Ray Tune searcher around the Optuna study of a search."""

from collections.abc import Callable, Sequence
from typing import Any

from optuna import Study
from ray.tune.search import Searcher

from search.proposals.budget import BudgetTracker
from search.proposals.study import SearchStudy
from search.tuning.resume import ResumeState
from spaces.band import Band
from spaces.draw import Draw
from spaces.records.trial import Outcome, Point


class DrawSearcher(Searcher):
    """Suggests the unfinished trials of `resume`, then new draws, until the budget is used up."""

    def __init__(
        self,
        study: SearchStudy,
        budget: BudgetTracker,
        config_of: Callable[[str, Draw], dict[str, Any]],
        on_draw: Callable[[str, Draw], None],
        band_of: Callable[[str, Draw], Band],
        outcome_of: Callable[[str], Outcome | None],
        curve_of: Callable[[str], Sequence[Point]],
        resume: ResumeState,
        capacity: Callable[[], int],
    ) -> None:
        """`config_of` makes the config that Tune passes to a trial. `on_draw` is called before the trial of a new draw
        exists. `band_of` returns the band of a trial, `outcome_of` its outcome or None, `curve_of` its curve.
        `capacity()` is how many trials may run now.
        """
        super().__init__()
        self._study, self._budget = study, budget
        self._config_of, self._on_draw, self._outcome_of, self._capacity = config_of, on_draw, outcome_of, capacity
        self._band_of, self._curve_of = band_of, curve_of
        self._unfinished, self._cancelled = list(resume.unfinished), list(resume.cancelled)
        self._next_number = resume.next_number
        self._running: dict[str, str] = {}
        for outcome in resume.ended:
            if outcome.draw is not None:
                study.add_finished(outcome, band_of(outcome.trial, outcome.draw), curve_of(outcome.trial))

    @property
    def study(self) -> Study:
        return self._study.study

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """The config of the next trial; None while it would exceed the capacity; FINISHED after the last one."""
        if self._budget.stop_reason() or not (self._unfinished or self._budget.trials_left):
            return Searcher.FINISHED
        if len(self._running) >= self._capacity():
            return None
        if self._unfinished:
            name, draw = self._unfinished.pop(0)
            return self._start(trial_id, name, self._study.ask(name, draw))
        name = f"t{self._next_number:03d}"
        draw = self._study.ask(name, self._cancelled.pop(0) if self._cancelled else None)
        self._next_number += 1
        self._budget.drawn()
        self._on_draw(name, draw)
        return self._start(trial_id, name, draw)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Does nothing: Optuna is told outcomes, and a loss on the way is no score."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tells Optuna the outcome in the trial's folder, once. A trial without one has failed."""
        name = self._running.pop(trial_id, None)
        if name is None:
            return
        outcome = self._outcome_of(name)
        if outcome is None:
            self._study.tell_failed(name)
        else:
            self._study.tell(outcome, self._band_of(name, outcome.draw), self._curve_of(name))

    def save(self, checkpoint_path: str) -> None:
        """Does nothing: a search resumes from its ledger, not from Tune."""

    def restore(self, checkpoint_path: str) -> None:
        """Does nothing, for the same reason."""

    def __getstate__(self) -> dict[str, Any]:
        """Empty, since Tune pickles its searcher too."""
        return {}

    def _start(self, trial_id: str, name: str, draw: Draw) -> dict[str, Any]:
        self._running[trial_id] = name
        return self._config_of(name, draw)
