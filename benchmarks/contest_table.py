"""Tables of the tuners' results, and the targets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from rich.table import Table

from benchmarks.contest import OURS, PLAIN, TUNERS, Limits, Result, Unit

Results = Sequence[dict[str, Result]]
"""Per world or seed: the result of every tuner."""
FIELDS = {"first": "first accepted", "nearly_best": "within 2 % of the best"}
SHARES = {"first": 10, "nearly_best": 8}
"""Targets: so many times less cost than any plain tuner."""


def table_of(title: str, results: Results, limits: Limits, units: Sequence[Unit]) -> Table:
    """Medians with quartiles; a tuner that never gets there counts as infinite."""
    table = Table(title=title)
    table.add_column("")
    for heading in FIELDS.values():
        for unit in units:
            table.add_column(f"{heading}, {unit}", justify="right")
        table.add_column("missed", justify="right")
    for cost in limits.equal:
        table.add_column(f"best at {cost:g} {limits.unit}", justify="right")
    for name in TUNERS:
        own = [result[name] for result in results]
        cells: list[str] = []
        for field in FIELDS:
            cells += [_spread(_values(own, field, unit)) for unit in units]
            cells.append(str(sum(math.isinf(value) for value in _values(own, field, units[0]))))
        best = [f"{np.median([each.best_at[place] for each in own]):.3f}" for place in range(len(limits.equal))]
        table.add_row(name, *cells, *best)
    return table


def targets(results: Results, unit: Unit, most: float) -> Iterator[str]:
    """Each target, and whether it was met. A tuner that never gets there counts as `most`, a lower bound."""
    for field, what in FIELDS.items():
        middle = {name: _quartiles(_values([each[name] for each in results], field, unit))[1] for name in TUNERS}
        plain, own, share = min(middle[name] for name in PLAIN), middle[OURS], SHARES[field]
        if math.isinf(own):
            yield f"{what}: mostly never: {_met(False)}"
        else:
            ratio = f"{'at least ' if plain > most else ''}{min(plain, most) / own:.1f}"
            met = _met(min(plain, most) / own >= share)
            yield f"{what}: {ratio} times fewer {unit} than any plain tuner, of {share}: {met}"
        if field == "first":
            peers = min(value for name, value in middle.items() if name != OURS)
            yield f"  no more than any peer's {peers:.1f}: {_met(own <= peers)}"
            missed = sum(math.isinf(getattr(each[OURS].first, unit)) for each in results)
            yield f"  where ours never gets there, none of {len(results)}: {missed}: {_met(missed == 0)}"


def _values(results: Sequence[Result], field: str, unit: Unit) -> list[float]:
    return [getattr(getattr(result, field), unit) for result in results]


def _met(met: bool) -> str:
    return "met" if met else "MISSED"


def _quartiles(values: Sequence[float]) -> list[float]:
    return [float(np.percentile(values, share, method="lower")) for share in (25, 50, 75)]


def _spread(values: Sequence[float]) -> str:
    low, middle, high = _quartiles(values)
    return f"{middle:.1f} ({low:.1f}–{high:.1f})"
