"""A Ray Tune stopper that ends trials whose own loop failed to end them, and the search when it is drained."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ray.tune import Stopper

from search.tuning.tune_report import CONFIG, event_of, spec_of
from spaces.records.trial import Ending, Phase, Point, SecondChance
from spaces.records.trial_spec import TrialSpec
from trainable.files.trial_folder import TrialFolder
from trainable.stopping.rule import decide
from trainable.training.epoch_order import steps_per_epoch
from trainable.training.events import Progress
from trainable.training.lr_schedule import effective_steps, learns_from

GRACE_EPOCHS = 1.0
"""How far a trial may train past the point at which its own loop should have ended it."""


@dataclass
class _Checked:
    """How many points of a trial's curve were checked, and where it should have ended."""

    points: int = 0
    end: Point | None = None


class BandStopper(Stopper):
    """Stops a trial that trains on after `trainable.stopping.rule.decide` has ended it, never one that is being probed.

    Tune kills a trial that its stopper ends: no checkpoint and no probe follow. So the training loop, which obeys the
    same rule, ends trials itself, and this only catches a loop that does not. It reads the whole curve in the trial's
    folder: reports hold only some of its points, over which the descent may look slower than it is.
    """

    def __init__(self, clips: int, is_drained: Callable[[], bool]) -> None:
        """`clips` in an epoch; `is_drained()` is true once no trial runs and none will be drawn."""
        self._clips = clips
        self._is_drained = is_drained
        self._checked: dict[str, _Checked] = {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        event = event_of(result)
        if not isinstance(event, Progress) or event.phase is not Phase.TRAINING:
            return False
        spec = spec_of(result[CONFIG])
        folder = TrialFolder(spec.path)
        curve, chance = folder.read_points(), folder.read_second_chance()
        checked = self._checked.setdefault(spec.trial, _Checked())
        if len(curve) < checked.points:
            # The trial was interrupted and has resumed from an earlier checkpoint.
            checked.points, checked.end = 0, None
        if chance is not None and checked.end is not None and checked.end.step <= chance.outcome.point.step:
            # It was rejected there, and trains on.
            checked.end = None
        decide_ending = self._rule(spec, chance)
        while checked.end is None and checked.points < len(curve):
            checked.points += 1
            if decide_ending(curve[: checked.points]) is not None:
                checked.end = curve[checked.points - 1]
        return checked.end is not None and event.point.epoch - checked.end.epoch > GRACE_EPOCHS

    def stop_all(self) -> bool:
        return self._is_drained()

    def _rule(self, spec: TrialSpec, chance: SecondChance | None) -> Callable[[list[Point]], Ending | None]:
        """The rule on a part of the curve. Points before a second chance are the loop's concern."""
        last_step = steps_per_epoch(self._clips, spec.draw.clips_per_step) * spec.draw.epochs
        steps = effective_steps(spec.draw, last_step)
        done, band = (chance.outcome.point.step, chance.band) if chance else (-1, spec.band)
        base, since = spec.base_loss, learns_from(spec.draw, last_step)

        def decide_ending(curve: list[Point]) -> Ending | None:
            return decide(curve, band, self._clips, last_step, steps, base, since) if curve[-1].step > done else None

        return decide_ending

    def __getstate__(self) -> dict[str, Any]:
        """Empty: Tune pickles its stopper for a restore that never happens here."""
        return {}
