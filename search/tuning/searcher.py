"""A Ray Tune searcher around the Optuna study of a search."""

from collections.abc import Callable
from typing import Any

from optuna import Study
from ray.tune.search import Searcher

from search.planning.plan import Plan
from search.proposals.budget import BudgetTracker
from search.proposals.study import SearchStudy
from search.tuning.resume import ResumeState
from search.tuning.tune_report import tune_config
from spaces.band import Band
from spaces.draw import Draw
from spaces.records.losses import BaseLoss
from spaces.records.trial_spec import TrialSpec


class DrawSearcher(Searcher):
    """Suggests the unfinished trials of `resume`, then new draws, until the budget is used up."""

    def __init__(
        self,
        plan: Plan,
        study: SearchStudy,
        budget: BudgetTracker,
        resume: ResumeState,
        on_draw: Callable[[TrialSpec], None],
        capacity: Callable[[], int],
    ) -> None:
        """`on_draw` is called before the trial of a new draw exists. `capacity()` is how many trials may run now."""
        super().__init__()
        self._plan, self._study, self._budget, self._on_draw, self._capacity = plan, study, budget, on_draw, capacity
        self._unfinished, self._cancelled = list(resume.unfinished), list(resume.cancelled)
        self._next_number = resume.next_number
        self._running: set[str] = set()

    @property
    def study(self) -> Study:
        return self._study.study

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """The config of the next trial; None while it would exceed the capacity; FINISHED after the last one."""
        if self._budget.stop_reason() or not (self._unfinished or self._budget.trials_left):
            return Searcher.FINISHED
        if len(self._running) >= self._capacity():
            return None
        self._running.add(trial_id)
        if self._unfinished:
            return tune_config(self._spec(*self._unfinished.pop(0)))
        name = f"t{self._next_number:03d}"
        self._next_number += 1
        spec = self._spec(name, self._cancelled.pop(0) if self._cancelled else None)
        self._budget.drawn()
        self._on_draw(spec)
        return tune_config(spec)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Does nothing: Optuna is told outcomes, and a loss on the way is no score."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Makes room for another trial. Optuna is told by the recorder, which Tune calls next."""
        self._running.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Does nothing: a search resumes from its ledger, not from Tune."""

    def restore(self, checkpoint_path: str) -> None:
        """Does nothing, for the same reason."""

    def __getstate__(self) -> dict[str, Any]:
        """Empty, since Tune pickles its searcher too."""
        return {}

    def _spec(self, trial: str, known: Draw | None) -> TrialSpec:
        draw = self._study.ask(trial, known)
        bands = self._study.bands
        return trial_spec(self._plan, trial, draw, bands.band_for(trial, draw), bands.base_loss(draw.objective))


def trial_spec(plan: Plan, trial: str, draw: Draw, band: Band | None, base_loss: BaseLoss | None = None) -> TrialSpec:
    """The spec of one trial of this search; `band` is the interval that it must end in, `base_loss` where it begins."""
    return TrialSpec(
        trial=trial,
        folder=str(plan.run.trial(trial)),
        family=plan.family,
        model=plan.model,
        prepared=str(plan.run.prepared),
        calibration=str(plan.run.calibration),
        language=plan.space.language,
        seed=plan.seed,
        draw=draw,
        band=band,
        base_loss=base_loss,
        probe=plan.space.probe,
        storage=plan.stored,
    )
