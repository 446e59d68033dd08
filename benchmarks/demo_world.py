"""The demo voice as a search problem: the nearest recorded draw answers each draw."""

from __future__ import annotations

import numpy as np

from benchmarks.demo_record import EPOCHS, Record, RecordedDraw, in_units, searched_names
from benchmarks.worlds import ManualRecipe, NoRunsLeft, ProbeOutcome, TrainingRun
from spaces.draw import Draw
from spaces.space import Space

GUIDE_EPOCHS = 8
"""The public guide's epochs for about as many clips."""


class RecordedVoice:
    """One search of the demo voice. See `benchmarks.worlds.SearchProblem`.

    Each draw is answered by the nearest recorded draw that is not yet used, with domains scaled to 0 to 1 and the curve
    cut to the draw's own epochs. Every tuner sees the draw it asked for, not the one that answered. The nearest probed
    checkpoint answers for others.
    """

    def __init__(self, space: Space, record: Record) -> None:
        self.space = space
        self._record = record
        self._points = in_units(space, [each.point for each in record.draws])
        self._left = list(range(len(record.draws)))
        self._used: dict[int, RecordedDraw] = {}

    @property
    def clips(self) -> int:
        return self._record.made.clips

    @property
    def manual_recipe(self) -> ManualRecipe:
        """The guide's settings do not fit a miniature, so this is its style within the space: the largest rank, the
        lowest rate of text_projection, and a LoRA rate from the middle."""
        return manual_recipe_of(self.space)

    def run(self, draw: Draw, number: int) -> TrainingRun:
        """Raises NoRunsLeft when every recorded draw is used."""
        if not self._left:
            raise NoRunsLeft
        asked = in_units(self.space, [{name: getattr(draw, name) for name in searched_names(self.space)}])
        distances = np.linalg.norm(self._points[self._left] - asked, axis=1)
        found = self._used[number] = self._record.draws[self._left.pop(int(distances.argmin()))]
        whole = TrainingRun(found.curve, found.curve, np.array(found.seconds), self._record.made.steps_per_epoch)
        return whole.until(draw.epochs)

    def probe(self, draw: Draw, true: float, number: int, step: int) -> ProbeOutcome:
        heard = self._used[number].nearest(step)
        return ProbeOutcome(heard.accepted, heard.score, heard.mended_by, heard.seconds)


def manual_recipe_of(space: Space) -> ManualRecipe:
    least, fastest = space.draw["lora_lr"].boundary_values()
    return ManualRecipe(
        rank=max(space.draw["rank"].boundary_values()),
        alpha_ratio=2,
        text_projection_lr=min(space.draw["text_projection_lr"].boundary_values()),
        lora_lr=(least * fastest) ** 0.5,
        epochs=min(GUIDE_EPOCHS, max(space.draw[EPOCHS].boundary_values())),
        target=space.band(space.objectives[0]).high,
    )


def best_of(record: Record) -> float:
    """The best accepted score of the whole record; 0 without one."""
    return max((each.score for draw in record.draws for each in draw.heard if each.accepted), default=0.0)
