"""The Optuna study of a search, asked for draws and told how they ended. No Ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.trial import Trial, TrialState, create_trial

from search.domains import chosen, distributions, fixed
from search.foresight import Foresight
from search.sampler import ScreenedSampler
from search.telling import UNTRIED, telling
from spaces.band import Band
from spaces.draw import Draw, Objective
from spaces.space import Space
from spaces.trial import Outcome, Point


class Draws:
    """Multivariate TPE on the probe's score, with the band and the verdict as constraints.

    A point whose crossing is foretold to lie outside its epochs is not handed out. The study lives in memory: the ledger
    is the record, and whatever ended in an earlier process is told again.
    """

    def __init__(self, space: Space, seed: int, trials: int, clips: int, band_of: Callable[[Objective], Band]) -> None:
        """`trials` that the search may come to, `clips` in an epoch; `band_of` says which band a new draw would get."""
        self._space, self._band_of = space, band_of
        self._foresight = Foresight(clips, space.evidence)
        self._distributions = distributions(space)
        self._fixed = fixed(space)
        sampler = ScreenedSampler(seed, trials, self._distributions, self._outside)
        self.study = optuna.create_study(direction="maximize", sampler=sampler)
        self._asked: dict[str, Trial] = {}
        self._bands: dict[Objective, Band] = {}

    def ask(self, trial: str, known: Draw | None = None) -> Draw:
        """A draw for the trial of that name; `known` is one that was made before and goes on."""
        if known is not None:
            self.study.enqueue_trial(chosen(known, self._space))
        self._bands = {objective: self._band_of(objective) for objective in self._space.objectives}
        self._asked[trial] = self.study.ask(self._distributions)
        return self._space.to_draw({**self._fixed, **self._asked[trial].params})

    def tell(self, trial: str, outcome: Outcome | None, band: Band | None, curve: Sequence[Point]) -> None:
        """How it ended; without an outcome it has failed."""
        told = telling(outcome, band) if outcome and band else UNTRIED
        asked = self._asked.pop(trial)
        for constraint, value in told.constraints.items():
            asked.set_constraint(constraint, value)
        self.study.tell(asked, told.score, told.state)
        self._learn(outcome, told.state, curve)

    def remember(self, outcome: Outcome, band: Band, curve: Sequence[Point]) -> None:
        """A trial that ended in an earlier process."""
        told = telling(outcome, band)
        self.study.add_trial(
            create_trial(
                state=told.state,
                value=told.score,
                params=chosen(outcome.draw, self._space),
                distributions=self._distributions,
                constraints=told.constraints,
            )
        )
        self._learn(outcome, told.state, curve)

    def _learn(self, outcome: Outcome | None, state: TrialState, curve: Sequence[Point]) -> None:
        if outcome is not None and state is not TrialState.FAIL and curve:
            self._foresight.learn(outcome.draw, curve)

    def _outside(self, point: dict[str, Any]) -> float:
        draw = self._space.to_draw({**self._fixed, **point})
        return self._foresight.outside(draw, self._bands[draw.objective]), self._foresight.epochs(draw, self._bands[draw.objective])
