"""What a rejected trial may still try: a second probe further down its band, or further up. There is no third."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from spaces.band import Band
from spaces.trial import Point
from spaces.verdict import Flag, Verdict
from trainable.probe.judge import allowed_failures, fails_screen


class Mend(StrEnum):
    """Which amount of training would mend what a trial was rejected for."""

    MORE = "more"
    LESS = "less"


@dataclass(frozen=True)
class GoOn:
    """Train on, to this part of the band."""

    band: Band


@dataclass(frozen=True)
class GoBack:
    """Probe the checkpoint that was kept at this point."""

    point: Point


def mend(verdict: Verdict, base: Verdict | None) -> Mend | None:
    """None of what was accepted, and of clipped lines, which no amount of training mends.

    A voice that is not yet there needs more training. Lines that fail need less, since speech garbles as the loss
    falls; unless no more of them fail than of the base model's own clone, `base`, which no training has spoilt. A
    rejected voice whose lines are sound, and that is the right one, is rushed or would not end: it needs less too.
    """
    if verdict.accepted:
        return None
    if fails_screen(verdict.lines) or verdict.failed_lines > allowed_failures(verdict.planned_lines):
        if base is not None and _failed_share(verdict) <= _failed_share(base):
            return Mend.MORE
        spoilt = {flag for line in verdict.lines if line.failed for flag in line.flags if flag.rejects}
        return None if spoilt == {Flag.CLIPPED} else Mend.LESS
    return Mend.MORE if Flag.VOICE_DRIFT in verdict.flags else Mend.LESS


def second_chance(band: Band, probed: Point, mended_by: Mend | None, kept: Sequence[Point]) -> GoOn | GoBack | None:
    """After a rejection at `probed`; None where nothing promising is left.

    More training goes half of the way that is left to the band's floor, unless the aim has been passed or the trial has
    overshot. Less goes back to that of the `kept` checkpoints, all within the band and above the probed loss, which
    lies nearest to half-way up.
    """
    if mended_by is Mend.MORE and band.aim[0] < probed.loss <= band.high:
        return GoOn(Band(low=band.low, high=(band.low + probed.loss) / 2))
    if mended_by is Mend.LESS:
        above = [point for point in kept if point.loss in band and point.loss > probed.loss]
        middle = (probed.loss + band.high) / 2
        nearest = min(above, key=lambda point: abs(point.loss - middle), default=None)
        return None if nearest is None else GoBack(nearest)
    return None


def _failed_share(verdict: Verdict) -> float:
    return verdict.failed_lines / max(1, verdict.judged_lines)
