"""The demo voice as a world: whatever draw is asked for, a recorded one answers."""

from __future__ import annotations

import numpy as np

from benchmarks.demo_record import EPOCHS, Record, Recorded, in_units, searched
from benchmarks.worlds import Habit, Run, Sound, UsedUp
from spaces.draw import Draw
from spaces.space import Space

MANY = 8
"""Epochs that the public guide gives to about as many clips."""


class RecordedVoice:
    """One search of it. See `benchmarks.worlds.Searched`.

    A draw is answered by the recorded one that lies nearest and was not answered with before, each domain counting from
    0 to 1, cut short to the draw's own epochs. The tuner learns what it asked for, not what answered; that is so for
    every tuner. What was not listened to sounds as the nearest checkpoint that was.
    """

    def __init__(self, space: Space, record: Record) -> None:
        self.space = space
        self._record = record
        self._places = in_units(space, [each.point for each in record.draws])
        self._left = list(range(len(record.draws)))
        self._answered: dict[int, Recorded] = {}

    @property
    def clips(self) -> int:
        return self._record.made.clips

    @property
    def habit(self) -> Habit:
        """The guide's settings do not fit a miniature: its manner, within the space. The largest rank, the least rate
        of text_projection, and a LoRA rate from the middle."""
        return habit_of(self.space)

    def run(self, draw: Draw, number: int) -> Run:
        """Raises UsedUp where every recorded draw has answered."""
        if not self._left:
            raise UsedUp
        asked = in_units(self.space, [{name: getattr(draw, name) for name in searched(self.space)}])
        away = np.linalg.norm(self._places[self._left] - asked, axis=1)
        found = self._answered[number] = self._record.draws[self._left.pop(int(away.argmin()))]
        whole = Run(found.curve, found.curve, np.array(found.seconds), self._record.made.steps_per_epoch)
        return whole.until(draw.epochs)

    def sound(self, draw: Draw, true: float, number: int, step: int) -> Sound:
        heard = self._answered[number].nearest(step)
        return Sound(heard.accepted, heard.score, heard.mended_by, heard.seconds)


def habit_of(space: Space) -> Habit:
    least, fastest = space.draw["lora_lr"].boundary_values()
    return Habit(
        rank=max(space.draw["rank"].boundary_values()),
        alpha_ratio=2,
        text_projection_lr=min(space.draw["text_projection_lr"].boundary_values()),
        lora_lr=(least * fastest) ** 0.5,
        epochs=min(MANY, max(space.draw[EPOCHS].boundary_values())),
        target=space.band(space.objectives[0]).high,
    )


def best_of(record: Record) -> float:
    """The best accepted score of the whole record; 0 without one."""
    return max((each.score for draw in record.draws for each in draw.heard if each.accepted), default=0.0)
