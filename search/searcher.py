"""Ray's Optuna searcher, taught what a trial of this project is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import Trial, TrialState, create_trial
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from search.budget import Spending
from search.domains import chosen, distributions, suggest
from search.past import Past
from search.telling import UNTRIED, telling
from spaces.band import Band
from spaces.draw import Draw
from spaces.space import Space
from spaces.trial import Outcome

STUDY = "sweetspot"
SCORE = "score"
STARTUP_SHARE = 2
"""One trial in two is drawn at random, ten at most, before TPE takes over: Optuna's own ten would be all of a small
budget, and two points say little about five dimensions."""


class DrawSearcher(OptunaSearch):
    """Multivariate TPE on the probe's score, with the band and the verdict as constraints.

    Hands out what `past` left unfinished, then new draws, until `spending` is closed. The study lives in memory: the
    ledger is the record, and from it `past` is put back into a new study.
    """

    def __init__(
        self,
        space: Space,
        seed: int,
        spending: Spending,
        config_of: Callable[[str, Draw], dict[str, Any]],
        on_draw: Callable[[str, Draw], None],
        band_of: Callable[[str, Draw], Band],
        outcome_of: Callable[[str], Outcome | None],
        past: Past,
        room: Callable[[], int],
    ) -> None:
        """`config_of` makes the config that Tune hands a trial; `on_draw` hears of a new draw before its trial exists;
        `band_of` says which band judges a trial; `outcome_of` reads how a named trial ended, None when it left nothing;
        `room()` is how many may run just then.
        """
        self._searched, self._spending = space, spending
        self._config_of, self._on_draw, self._outcome_of, self._room = config_of, on_draw, outcome_of, room
        self._band_of = band_of
        self._unfinished, self._cancelled = list(past.unfinished), list(past.cancelled)
        self._next_number = past.next_number
        self._names: dict[str, str] = {}
        self._running: set[str] = set()
        self._asked: dict[str, Trial] = {}
        self._asking = ""
        storage = InMemoryStorage()
        super().__init__(
            space=self._define,
            metric=SCORE,
            mode="max",
            # A resumed search goes on to other draws: from the same seed it would begin with those it has made.
            sampler=_sampler(seed + past.next_number, spending.left + len(past.ended)),
            storage=storage,
            study_name=STUDY,
        )
        # OptunaSearch keeps its study to itself; another handle on the same storage is the same study.
        self.study = optuna.load_study(study_name=STUDY, storage=storage)
        for outcome in past.ended:
            self._remember(outcome)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The config of the next trial, None while there is no room for it, or FINISHED when there will be none."""
        if self._spending.why_closed() or not (self._unfinished or self._spending.left):
            return Searcher.FINISHED
        if len(self._running) >= self._room():
            return None
        if self._unfinished:
            name, known = self._unfinished.pop(0)
            return self._start(trial_id, name, self._ask(trial_id, known))
        name = f"t{self._next_number:03d}"
        draw = self._ask(trial_id, self._cancelled.pop(0) if self._cancelled else None)
        self._next_number += 1
        self._spending.drawn()
        self._on_draw(name, draw)
        return self._start(trial_id, name, draw)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing: a curve's losses are no score, and the endings say what they led to."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tells Optuna the trial's outcome, as its folder has it; a trial that left none has failed."""
        self._running.discard(trial_id)
        outcome = self._outcome_of(self._names[trial_id])
        told = telling(outcome, self._band_of(outcome.trial, outcome.draw)) if outcome else UNTRIED
        for constraint, value in told.constraints.items():
            self._asked[trial_id].set_constraint(constraint, value)
        # The parent takes a result for complete, none for pruned, and none with an error for failed.
        result = {SCORE: told.score} if told.state is TrialState.COMPLETE else None
        super().on_trial_complete(trial_id, result, error=told.state is TrialState.FAIL)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: what Tune would keep for a restore, the ledger knows better."""

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, for the same reason: Tune pickles its searcher too."""
        return {}

    def _ask(self, trial_id: str, known: Draw | None) -> Draw:
        if known is not None:
            self.study.enqueue_trial(chosen(known, self._searched))
        self._asking = trial_id
        return self._searched.to_draw(super().suggest(trial_id))

    def _start(self, trial_id: str, name: str, draw: Draw) -> dict[str, Any]:
        self._names[trial_id] = name
        self._running.add(trial_id)
        return self._config_of(name, draw)

    def _define(self, trial: Trial) -> dict[str, Any]:
        """Optuna's define-by-run function."""
        self._asked[self._asking] = trial
        return suggest(trial, self._searched)

    def _remember(self, outcome: Outcome) -> None:
        if outcome.draw is None:
            return
        told = telling(outcome, self._band_of(outcome.trial, outcome.draw))
        self.study.add_trial(
            create_trial(
                state=told.state,
                value=told.score,
                params=chosen(outcome.draw, self._searched),
                distributions=distributions(self._searched),
                constraints=told.constraints,
            )
        )


def _sampler(seed: int, trials: int) -> TPESampler:
    startup = min(10, max(2, trials // STARTUP_SHARE))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=startup)
