"""The study of a search as a searcher of Ray Tune."""

from __future__ import annotations

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
    """Hands out what `past` left unfinished, then new draws, until `spending` is closed."""

    def __init__(
        self,
        draws: SearchStudy,
        spending: BudgetTracker,
        config_of: Callable[[str, Draw], dict[str, Any]],
        on_draw: Callable[[str, Draw], None],
        band_of: Callable[[str, Draw], Band],
        outcome_of: Callable[[str], Outcome | None],
        curve_of: Callable[[str], Sequence[Point]],
        past: ResumeState,
        room: Callable[[], int],
    ) -> None:
        """`config_of` makes the config that Tune hands a trial; `on_draw` hears of a new draw before its trial exists;
        `band_of` says which band judges a trial; `outcome_of` reads how a named trial ended, None when it left nothing;
        `curve_of` reads its curve; `room()` is how many may run just then.
        """
        super().__init__()
        self._draws, self._spending = draws, spending
        self._config_of, self._on_draw, self._outcome_of, self._room = config_of, on_draw, outcome_of, room
        self._band_of, self._curve_of = band_of, curve_of
        self._unfinished, self._cancelled = list(past.unfinished), list(past.cancelled)
        self._next_number = past.next_number
        self._running: dict[str, str] = {}
        for outcome in past.ended:
            if outcome.draw is not None:
                draws.add_finished(outcome, band_of(outcome.trial, outcome.draw), curve_of(outcome.trial))

    @property
    def study(self) -> Study:
        return self._draws.study

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The config of the next trial, None while there is no room for it, or FINISHED when there will be none."""
        if self._spending.stop_reason() or not (self._unfinished or self._spending.trials_left):
            return Searcher.FINISHED
        if len(self._running) >= self._room():
            return None
        if self._unfinished:
            name, known = self._unfinished.pop(0)
            return self._start(trial_id, name, self._draws.ask(name, known))
        name = f"t{self._next_number:03d}"
        draw = self._draws.ask(name, self._cancelled.pop(0) if self._cancelled else None)
        self._next_number += 1
        self._spending.drawn()
        self._on_draw(name, draw)
        return self._start(trial_id, name, draw)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing: a curve's losses are no score, and the endings say what they led to."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tells Optuna the trial's outcome, as its folder has it and once; a trial that left none has failed."""
        name = self._running.pop(trial_id, None)
        if name is None:
            return
        outcome = self._outcome_of(name)
        if outcome is None:
            self._draws.tell_failed(name)
        else:
            self._draws.tell(outcome, self._band_of(name, outcome.draw), self._curve_of(name))

    def save(self, checkpoint_path: str) -> None:
        """Nothing: what Tune would keep for a restore, the ledger knows better."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, for the same reason."""

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its searcher too."""
        return {}

    def _start(self, trial_id: str, name: str, draw: Draw) -> dict[str, Any]:
        self._running[trial_id] = name
        return self._config_of(name, draw)
