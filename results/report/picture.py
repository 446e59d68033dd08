"""The overview picture of a search: the loss curve of every trial with its band, and the score of every trial.

Colours are Okabe and Ito's, distinguishable without red and green; every mark has a label.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from results.analysis.ranking import ComparisonResult
from results.analysis.table import TrialRow, trial_rows
from results.run.ledger import History, read_ledger
from results.run.run_folder import RunFolder
from spaces.families import entry_of
from spaces.records.trial import Ending, Point
from trainable.files.atomic import atomic_file
from trainable.files.trial_folder import TrialFolder

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ACCEPTED, REJECTED, UNPROBED, BASE, BAND = "#0072B2", "#D55E00", "#8C8C8C", "#1A1A1A", "#56B4E9"
INK, QUIET = "#1A1A1A", "#6B6B6B"
MARKS = {
    Ending.IN_BAND: "o",
    Ending.OVERSHOT: "v",
    Ending.COMPLETED: "^",
    Ending.EXHAUSTED: "s",
    Ending.HOPELESS: "X",
    Ending.DIVERGED: "*",
    Ending.COLLAPSED: "P",
    Ending.CANCELLED: "D",
    Ending.FAILED: "D",
}
FIGURE_INCHES = (16, 9)
LABEL_COLUMN = 1.46
"""Width of a plot with the column of labels on its right, relative to the width of the curves."""
LABEL_INCHES = 0.23
"""Height of a label."""
TITLE_WIDTH = 80
"""Characters of a line of the title above the curves."""
MAX_LABELS = 14
"""Most labels in one plot; accepted trials come first."""
MAX_BARS = 12
"""Most bars of scores."""


def draw_search(run: RunFolder) -> Path:
    """Draws the current state of a run into `search.png`, 1600 × 900 pixels. Raises InputError without a ledger."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    history = read_ledger(run.ledger)
    table = trial_rows(run, history)
    figure = Figure(figsize=FIGURE_INCHES, dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.04, 0.945, _title(table, history), fontsize=22, fontweight="bold", color=INK)
    figure.text(0.04, 0.905, _subtitle(history), fontsize=13, color=QUIET)
    grid = figure.add_gridspec(1, 2, width_ratios=[1.25, 1], left=0.06, right=0.97, top=0.83, bottom=0.09, wspace=0.12)
    objectives = list(dict.fromkeys(row.objective for row in table if row.objective))
    panels = grid[0].subgridspec(max(1, len(objectives)), 1, hspace=0.28)
    for number, objective in enumerate(objectives):
        _draw_curves(figure.add_subplot(panels[number]), objective, run, table, history)
    _draw_scores(figure.add_subplot(grid[1]), table)
    with atomic_file(run.picture) as part:
        figure.savefig(part, format="png")
    return run.picture


def _title(table: Sequence[TrialRow], history: History) -> str:
    trials = f"{len(history.drawn)} trial" + ("" if len(history.drawn) == 1 else "s")
    accepted = [row for row in table if row.place]
    if not accepted:
        return f"{trials}, none accepted" + ("" if history.ended else " so far")
    best = accepted[0]
    versus = ""
    if best.vs_base:
        is_equal = best.vs_base.judgement is ComparisonResult.NO_DIFFERENCE
        versus = f", {best.vs_base.judgement} {'from' if is_equal else 'than'} the base model"
    return f"{trials}, {len(accepted)} accepted; the best is {best.trial}{versus}"


def _subtitle(history: History) -> str:
    if history.search is None:
        return ""
    if history.search.space.get("name") == "demo":
        return "The demo voice is a miniature model: it shows how a search works, not how a voice will sound."
    return f"{history.search.model} on {history.search.voice}, {history.search.space.get('name')} space"


def _draw_curves(axes: Axes, objective: str, run: RunFolder, table: Sequence[TrialRow], history: History) -> None:
    curves = [(row, _points(run, row)) for row in table if row.objective == objective]
    curves = [(row, points) for row, points in curves if points]
    band, latest = history.band(objective), history.latest_band(objective)
    losses = [point.loss for _, points in curves for point in points]
    losses += [loss for _, points in curves for _, loss in _validation(points, objective)]
    losses += [band.low, band.high] if band else []
    base = history.base_loss(objective)
    losses += [base] if base is not None else []
    low, high = min(losses, default=0.0), max(losses, default=1.0)
    right = max([points[-1].epoch for _, points in curves], default=1.0) or 1.0
    axes.set_ylim(max(0.0, low - 0.1 * (high - low)), high + 0.04 * (high - low))
    axes.set_xlim(0, right * LABEL_COLUMN)
    units = [f" in {entry_of(row.draw).loss_unit}" for row, _ in curves if row.draw]
    title = f"{objective} loss{units[0] if units else ''}"
    if band is not None:
        title += f"; band {latest or band} shaded"
        if latest is not None and latest != band:
            title += f", {'found within' if latest.low >= band.low else 'lowered from'} {band}"
        for shaded in {band, latest or band}:
            axes.axhspan(shaded.low, shaded.high, xmax=1 / LABEL_COLUMN, color=BAND, alpha=0.2, linewidth=0)
    if base is not None:
        title += ", base model dashed"
        axes.plot([0, right], [base, base], color=BASE, linewidth=1, linestyle=(0, (4, 3)), zorder=2)
    if any(_validation(points, objective) for _, points in curves):
        title += ", held-out clips dotted"
    for row, points in curves:
        _draw_curve(axes, row, points, history)
        held_out = _validation(points, objective)
        if held_out:
            axes.plot(*zip(*held_out, strict=True), color=_colour(row), linewidth=1, linestyle=":", alpha=0.7)
    _label_ends(axes, [(row, points[-1]) for row, points in curves], right)
    _plain(axes)
    axes.spines["bottom"].set_bounds(0, right)
    axes.set_title(textwrap.fill(title, TITLE_WIDTH), loc="left", fontsize=13, color=INK)
    axes.set_xlabel("epochs", fontsize=12, color=QUIET, x=0.5 / LABEL_COLUMN)
    axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= right * 1.001])


def _points(run: RunFolder, row: TrialRow) -> list[Point]:
    return [point for point in TrialFolder(run.trial(row.trial)).read_points() if math.isfinite(point.loss)]


def _validation(points: Sequence[Point], objective: str) -> list[tuple[float, float]]:
    """Epoch and loss of the held-out clips, where it was measured."""
    pairs = [(point.epoch, point.validation[objective]) for point in points if point.validation]
    return [pair for pair in pairs if math.isfinite(pair[1])]


def _draw_curve(axes: Axes, row: TrialRow, points: Sequence[Point], history: History) -> None:
    colour = _colour(row)
    epochs, losses = [point.epoch for point in points], [point.loss for point in points]
    axes.plot(epochs, losses, color=colour, linewidth=1.9 if row.accepted is not None else 1.3, alpha=0.9)
    outcome = history.outcomes.get(row.trial)
    if outcome is None or outcome.ending is None:
        return
    axes.plot(epochs[-1], losses[-1], MARKS[outcome.ending], color=colour, markersize=9, markeredgecolor="white")
    if outcome.ending is Ending.OVERSHOT and outcome.kept is not None:
        kept = (outcome.kept.epoch, outcome.kept.loss)
        axes.plot(*kept, "o", color="white", markersize=9, markeredgecolor=colour, markeredgewidth=1.8)


def _label_ends(axes: Axes, ends: Sequence[tuple[TrialRow, Point]], right: float) -> None:
    """Labels in a column on the right, each at the height of its curve or as near as the other labels permit."""
    chosen = sorted(ends, key=lambda end: (not end[0].accepted, end[0].accepted is None))[:MAX_LABELS]
    chosen.sort(key=lambda end: end[1].loss)
    low, high = axes.get_ylim()
    inches = axes.get_position().height * FIGURE_INCHES[1]
    heights = _spread([point.loss for _, point in chosen], (high - low) * LABEL_INCHES / inches)
    for (row, point), height in zip(chosen, heights, strict=True):
        axes.annotate(
            f"{row.trial}  {_ending_label(row)}",
            xy=(point.epoch, point.loss),
            xytext=(right * 1.05, height),
            fontsize=11,
            color=_colour(row),
            va="center",
            arrowprops={
                "arrowstyle": "-",
                "color": _colour(row),
                "alpha": 0.35,
                "linewidth": 0.8,
                "shrinkB": 5,
                "relpos": (0, 0.5),
            },
        )


def _spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Heights at least `gap` apart with the least squared distance from `wanted`, which ascends.

    After i × gap is subtracted from the i-th height this is isotonic regression: neighbours out of order are averaged.
    """
    pools: list[list[float]] = []
    for index, height in enumerate(wanted):
        pools.append([height - index * gap])
        while len(pools) > 1 and fmean(pools[-2]) > fmean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    flat = [fmean(pool) for pool in pools for _ in pool]
    return [height + index * gap for index, height in enumerate(flat)]


def _draw_scores(axes: Axes, table: Sequence[TrialRow]) -> None:
    probed = [(row, row.score) for row in table if row.score is not None]
    probed.sort(key=lambda each: (each[0].place is None, each[0].place or 0, -each[1]))
    probed = probed[:MAX_BARS]
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    for height, (row, score) in enumerate(probed):
        colour = _colour(row)
        axes.barh(height, score, height=0.34, color=colour, alpha=0.55 if row.accepted is False else 1.0)
        axes.text(0, height - 0.32, row.trial, fontsize=12, fontweight="bold", color=colour, va="bottom")
        label = _verdict_label(row)
        axes.text(1.0, height - 0.32, label, color=colour, ha="right", fontsize=11, va="bottom", bbox=box)
        axes.text(score + 0.012, height + 0.13, f"{score:.2f}", color=INK, fontsize=11, va="bottom", bbox=box)
        if row.place == 0:
            axes.axvline(score, color=BASE, linewidth=1, linestyle=(0, (4, 3)), zorder=2)
    if not probed:
        axes.text(0.5, 0.5, "nothing probed", ha="center", color=QUIET, fontsize=12, transform=axes.transAxes)
    axes.set_xlim(0, 1)
    axes.set_ylim(max(len(probed), 4) - 0.45, -0.7)
    _plain(axes)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.set_title("Score of the probe", loc="left", fontsize=13, color=INK)
    axes.set_xlabel(
        "score, from 0 to 1: words, voice, tempo, liveliness, spectrum and quality", fontsize=12, color=QUIET
    )


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#BBBBBB")
    axes.tick_params(colors=QUIET, labelsize=11, length=3)


def _colour(row: TrialRow) -> str:
    if row.place == 0:
        return BASE
    return {True: ACCEPTED, False: REJECTED, None: UNPROBED}[row.accepted]


def _ending_label(row: TrialRow) -> str:
    return row.state.replace("_", " ") + {True: ": accepted", False: ": rejected", None: ""}[row.accepted]


def _verdict_label(row: TrialRow) -> str:
    if row.place == 0:
        return "the base model's own clone" + ("" if row.accepted else ", rejected")
    if row.accepted is False:
        return textwrap.shorten(f"rejected: {'; '.join(row.reasons)}", 60, placeholder=" …")
    if row.vs_base is None:
        return "accepted"
    return f"accepted, {row.vs_base.difference:+.2f} against the base, {row.vs_base.judgement}"
