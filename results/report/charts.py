"""The charts of a listening page, as SVG elements that use the page's colours and font."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from results.analysis.acceptance import AcceptanceModel, JudgedLoss
from results.analysis.table import TrialRow
from results.run.ledger import History
from results.run.run_folder import RunFolder
from spaces.band import Band
from trainable.files.trial_folder import TrialFolder
from trainable.training.outcome import failed_share, training_advice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, ACCEPTED, REJECTED, UNPROBED, BAND = "#010101", "#020202", "#030303", "#040404", "#050505"
PAGE_COLOURS = {
    INK: "currentColor",
    ACCEPTED: "var(--accepted)",
    REJECTED: "var(--rejected)",
    UNPROBED: "var(--quiet)",
    BAND: "var(--band)",
}
"""Placeholder colours of a chart, and the CSS colours that replace them."""
POINTS = 160
"""Most points of one curve; more would not be visible."""
LABEL_SHARE = 0.042
"""Height of a label, as a share of the chart's height."""
MAX_LABELS = 12
"""Most curves with a label; accepted trials come first."""


def loss_chart(objective: str, run: RunFolder, table: Sequence[TrialRow], history: History) -> str:
    """The loss of every trial by epoch, the band, and the base model's loss as a dashed line."""
    figure, axes = _new_chart(5.6, 3.4)
    base = history.base_loss(objective)
    if base is not None:
        axes.axhline(base, color=INK, linewidth=1, linestyle=(0, (4, 3)), alpha=0.7)
        axes.annotate("base", (0, base), (2, 2), textcoords="offset points", fontsize=8, color=INK)
    for band in _bands(objective, history):
        axes.axhspan(band.low, band.high, color=BAND, alpha=0.25, linewidth=0)
    rows = sorted((row for row in table if row.objective == objective), key=lambda row: not row.accepted)
    ends: list[tuple[float, float, str, str]] = []
    for index, row in enumerate(rows):
        points = [point for point in TrialFolder(run.trial(row.trial)).read_points() if math.isfinite(point.loss)]
        if not points:
            continue
        points = points[:: max(1, len(points) // POINTS)] + points[-1:]
        colour = _colour(row)
        epochs, losses = [point.epoch for point in points], [point.loss for point in points]
        axes.plot(epochs, losses, color=colour, linewidth=1.4 if row.accepted else 0.9, alpha=0.9)
        axes.plot(epochs[-1], losses[-1], "o", color=colour, markersize=4)
        if index < MAX_LABELS:
            ends.append((losses[-1], epochs[-1], row.trial, colour))
    _label(axes, ends)
    axes.set_xlabel("epochs", color=INK, fontsize=9)
    return _to_svg(figure, f"curves {objective}")


def acceptance_chart(objective: str, history: History) -> str | None:
    """P(accepted | loss) with its 95 % interval, and a mark for each verdict; None without a verdict."""
    band, verdicts = history.band(objective), _verdicts(objective, history)
    if band is None or not verdicts:
        return None
    probed = [verdict.loss for verdict in verdicts]
    margin = 0.05 * (band.high - band.low)
    losses = np.linspace(min(band.low, *probed) - margin, max(band.high, *probed) + margin, 120)
    model = AcceptanceModel(verdicts, band)
    figure, axes = _new_chart(5.6, 3.4)
    for shaded in _bands(objective, history):
        axes.axvspan(shaded.low, shaded.high, color=BAND, alpha=0.25, linewidth=0)
    low, high = zip(*(model.interval(loss) for loss in losses), strict=True)
    axes.fill_between(losses, low, high, color=INK, alpha=0.12, linewidth=0)
    axes.plot(losses, [model.probability(loss) for loss in losses], color=INK, linewidth=1.5)
    for verdict in verdicts:
        height, colour = (1.04, ACCEPTED) if verdict.accepted else (-0.04, REJECTED)
        axes.plot(verdict.loss, height, "o", color=colour, markersize=5, alpha=0.8, clip_on=False)
    axes.set_ylim(-0.06, 1.06)
    axes.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    axes.set_xlabel(f"{objective} loss of the probed checkpoint", color=INK, fontsize=9)
    return _to_svg(figure, f"likelihood {objective}")


def influence_chart(parameter: str, table: Sequence[TrialRow], is_log: bool) -> str:
    """The score of every probed trial by one hyperparameter."""
    figure, axes = _new_chart(3.4, 2.3)
    for row in table:
        if row.draw is not None and row.score is not None:
            axes.plot(getattr(row.draw, parameter), row.score, "o", color=_colour(row), markersize=5, alpha=0.8)
    if is_log:
        axes.set_xscale("log")
        axes.minorticks_off()
    axes.margins(0.1, 0.15)
    axes.set_xlabel(parameter.replace("_", " "), color=INK, fontsize=9)
    return _to_svg(figure, f"influence {parameter}")


def varied_parameters(table: Sequence[TrialRow]) -> list[tuple[str, bool]]:
    """Hyperparameters that differ between probed trials, and whether their values span more than a factor of ten."""
    draws = [row.draw for row in table if row.draw is not None and row.score is not None]
    found = []
    for name in type(draws[0]).model_fields if draws else ():
        values = {getattr(draw, name) for draw in draws}
        if len(values) > 1 and all(type(value) in (int, float) for value in values):
            found.append((name, min(values) > 0 and max(values) / min(values) > 10))
        elif len(values) > 1:
            found.append((name, False))
    return found


def _bands(objective: str, history: History) -> set[Band]:
    """The band; of an auto band, both the interval that it moves in and its current place."""
    return {band for band in (history.band(objective), history.latest_band(objective)) if band}


def _verdicts(objective: str, history: History) -> list[JudgedLoss]:
    base = failed_share(history.base.verdict) if history.base and history.base.verdict else None
    verdicts = []
    for outcome in history.outcomes.values():
        if outcome.draw is None or outcome.draw.objective != objective:
            continue
        for kept, verdict in ((outcome.kept, outcome.verdict), (outcome.other_kept, outcome.other_verdict)):
            if kept and verdict and math.isfinite(kept.loss):
                verdicts.append(JudgedLoss(kept.loss, verdict.accepted, training_advice(verdict, base)))
    return verdicts


def _colour(row: TrialRow) -> str:
    return {True: ACCEPTED, False: REJECTED, None: UNPROBED}[row.accepted]


def _label(axes: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Writes each trial's name at the end of its curve, moved up where another name is in the way.

    `ends` holds loss, epoch, name and colour.
    """
    low, high = axes.get_ylim()
    gap, height = LABEL_SHARE * (high - low), -math.inf
    for loss, epoch, name, colour in sorted(ends):
        height = max(loss, height + gap)
        axes.annotate(
            name,
            (epoch, height),
            (4, 0),
            textcoords="offset points",
            fontsize=8,
            color=colour,
            va="center",
            annotation_clip=False,
            parse_math=False,
        )


def _new_chart(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty chart of that size in inches."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="none", layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot(facecolor="none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    axes.spines[["left", "bottom"]].set_alpha(0.35)
    axes.tick_params(length=2, colors=INK, labelsize=8)
    return figure, axes


def _to_svg(figure: Figure, name: str) -> str:
    """The SVG element of a chart, in the page's colours; its ids are derived from `name`."""
    import matplotlib

    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    for colour, css in PAGE_COLOURS.items():
        svg = svg.replace(colour, css)
    # Matplotlib gives the groups of every chart the same ids, which would clash on one page.
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box is not None
    content = svg[svg.index("<defs>") :]
    return f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {box.group()} aria-hidden="true">{content}'
