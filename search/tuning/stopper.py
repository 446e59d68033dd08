"""The search's last word on running trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ray.tune import Stopper

from search.tuning.tune_report import TuneReport
from spaces.records.trial import Ending, Phase, Point, SecondChance
from spaces.records.trial_spec import TrialSpec
from trainable.files.trial_folder import TrialFolder
from trainable.stopping.rule import decide
from trainable.training.epoch_order import steps_per_epoch
from trainable.training.lr_schedule import effective_steps

GRACE_EPOCHS = 1.0
"""How far a trial may train past the point at which its own loop should have ended it."""


@dataclass
class _Judged:
    """How far a trial's curve has been judged, and where it should have ended."""

    points: int = 0
    end: Point | None = None


class BandStopper(Stopper):
    """Stops a trial that trains on although `band.decide`, the rule its loop obeys, has ended it; never one that is
    being probed. Ends everything only when draws are over and nothing that runs would be lost.

    Ray kills what a stopper stops: nothing after it runs, no probe and no checkpoint. So the loop ends trials, and
    this only catches one whose loop does not. It judges the curve in the trial's folder, which is the loop's own: what
    is reported is a part of it, and a rate of descent over a part may look worse than it is.
    """

    def __init__(self, clips: int, is_drained: Callable[[], bool]) -> None:
        """`clips` in an epoch; `is_drained()` once nothing more will be drawn and nothing runs."""
        self._clips = clips
        self._is_drained = is_drained
        self._judged: dict[str, _Judged] = {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        report = TuneReport.of(result)
        if report is None or report.phase is not Phase.TRAINING:
            return False
        folder = TrialFolder(report.job.path)
        curve, chance = folder.read_points(), folder.read_second_chance()
        judged = self._judged.setdefault(report.job.trial, _Judged())
        if len(curve) < judged.points:
            # The trial was cut off and goes on from an earlier checkpoint.
            judged.points, judged.end = 0, None
        if chance is not None and judged.end is not None and judged.end.step <= chance.outcome.point.step:
            # It was rejected there, and has gone on.
            judged.end = None
        decided = self._decider(report.job, chance)
        while judged.end is None and judged.points < len(curve):
            judged.points += 1
            if decided(curve[: judged.points]) is not None:
                judged.end = curve[judged.points - 1]
        return judged.end is not None and report.point.epoch - judged.end.epoch > GRACE_EPOCHS

    def stop_all(self) -> bool:
        return self._is_drained()

    def _decider(self, job: TrialSpec, chance: SecondChance | None) -> Callable[[list[Point]], Ending | None]:
        """The rule for a curve as far as it is given. What lies before a second chance has been judged by the loop."""
        last_step = steps_per_epoch(self._clips, job.draw.clips_per_step) * job.draw.epochs
        exposure = effective_steps(job.draw, last_step)
        begin, band = (chance.outcome.point.step, chance.band) if chance else (-1, job.band)
        return lambda curve: decide(curve, band, self._clips, last_step, exposure) if curve[-1].step > begin else None

    def __getstate__(self) -> dict[str, Any]:
        """Nothing. Tune pickles its stopper for a restore that never happens here."""
        return {}
