"""What runs on other voices are good for in a search: where to begin, and what a loss sounds like."""

from __future__ import annotations

import math
from typing import Any

from results.acceptance import Heard
from search.domains import distributions
from spaces.draw import Objective
from spaces.evidence import Sounded, Tested
from spaces.space import Space
from trainable.second_chance import Mend

MENDED_BY = {Sounded.GOOD: None, Sounded.UNDERTRAINED: Mend.MORE, Sounded.OVERTRAINED: Mend.LESS}


def heard_elsewhere(space: Space, objective: Objective) -> list[Heard]:
    """Verdicts on other voices, by the loss they were stopped at."""
    return [
        Heard(tested.loss, tested.sounded is Sounded.GOOD, MENDED_BY[tested.sounded])
        for tested in space.evidence
        if tested.objective is objective
    ]


def first_points(space: Space, clips: int) -> list[dict[str, Any]]:
    """What was good elsewhere and lies in the space's domains, as values of those fields that are searched; voices of
    about as many clips come first. A run gets all the epochs that it may have, since its band ends it."""
    good = [tested for tested in space.evidence if tested.sounded is Sounded.GOOD]
    good.sort(key=lambda tested: abs(math.log(tested.clips / clips)))
    points: list[dict[str, Any]] = []
    for tested in good:
        point = _point(space, tested)
        if point is not None and point not in points:
            points.append(point)
    return points


def _point(space: Space, tested: Tested) -> dict[str, Any] | None:
    """None where the space has no such draw."""
    point = {}
    for name, domain in space.draw.items():
        value = max(domain.ends()) if name == "epochs" else getattr(tested, name, None)
        if value is None:
            continue
        if value not in domain:
            return None
        if name in distributions(space):
            point[name] = value
    return point
