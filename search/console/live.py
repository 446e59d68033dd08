"""The view for a terminal: a table of trials, a progress bar and the best trial so far, redrawn in place."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from search.console.plain import PlainView, ProgressRate
from search.console.view import View, describe_result
from spaces.draw import Draw
from spaces.records.trial import Outcome, Phase, Point

FRAMES_PER_SECOND = 2
LINES_AROUND_TABLE = 8
"""Lines of the terminal that are not rows of the table."""


@dataclass
class _Row:
    draw: Draw
    started: float
    point: Point | None = None
    phase: Phase | None = None
    outcome: Outcome | None = None
    seconds: float = 0.0


@contextmanager
def open_view(console: Console, trials: int, at_once: int) -> Iterator[View]:
    """The view that suits the console, for a search of `trials` trials of which `at_once` run concurrently."""
    if not console.is_terminal:
        yield PlainView(console)
        return
    view = LiveView(console, trials, at_once)
    live = Live(get_renderable=view.render, console=console, refresh_per_second=FRAMES_PER_SECOND)
    with live:
        yield view


class LiveView:
    """Keeps the state of every trial. `render` draws it, from another thread that only reads."""

    def __init__(self, console: Console, trials: int, at_once: int) -> None:
        self._console, self._trials, self._at_once = console, trials, at_once
        self._rows: dict[str, _Row] = {}
        self._base: Outcome | None = None
        self._progress = ""
        self._rate = ProgressRate()

    def progress(self, what: str, done: int, total: int) -> None:
        self._progress = self._rate.describe(what, done, total)

    def base(self, outcome: Outcome) -> None:
        self._base, self._progress = outcome, ""

    def started(self, trial: str, draw: Draw) -> None:
        self._rows.setdefault(trial, _Row(draw, time.monotonic()))

    def point(self, trial: str, point: Point, phase: Phase) -> None:
        row = self._rows[trial]
        row.point, row.phase = point, phase

    def ended(self, outcome: Outcome) -> None:
        row = self._rows.setdefault(outcome.trial, _Row(outcome.draw, time.monotonic()))
        row.outcome, row.seconds = outcome, time.monotonic() - row.started

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def render(self) -> Group:
        rows = dict(self._rows)
        trials = [self._table(rows), self._bar(rows)] if rows else []
        texts = [Text(text, style="bold") for text in (self._best(rows), self._progress) if text]
        return Group(*trials, *texts)

    def _table(self, rows: dict[str, _Row]) -> Table:
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for heading in ("trial", "draw"):
            table.add_column(heading, no_wrap=heading == "trial")
        for heading in ("epoch", "loss"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("state")
        shown = max(3, self._console.height - LINES_AROUND_TABLE)
        for trial, row in list(rows.items())[-shown:]:
            table.add_row(trial, row.draw.describe(), *_progress_cells(row), _state_cell(row))
        return table

    def _bar(self, rows: dict[str, _Row]) -> Table:
        ended = sum(row.outcome is not None for row in rows.values())
        grid = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=self._trials, completed=ended, width=40)
        grid.add_row(bar, f"{ended} of {self._trials} trials{self._eta(rows, self._trials - ended)}")
        return grid

    def _eta(self, rows: dict[str, _Row], left: int) -> str:
        durations = [row.seconds for row in rows.values() if row.outcome is not None and row.seconds]
        if not durations or left <= 0:
            return ""
        running = sum(time.monotonic() - row.started for row in rows.values() if row.outcome is None)
        seconds = max(0.0, (left * sum(durations) / len(durations) - running) / self._at_once)
        return f", about {seconds / 60:.0f} min left" if seconds >= 60 else ", less than a minute left"

    def _best(self, rows: dict[str, _Row]) -> str:
        parts = []
        if self._base is not None and self._base.verdict is not None:
            parts.append(f"base model {self._base.verdict.score:.3f}")
        accepted = [row.outcome for row in rows.values() if row.outcome is not None and row.outcome.accepted]
        if accepted:
            best = max(accepted, key=lambda outcome: outcome.verdict.score)
            parts.append(f"best so far {best.trial}, score {best.verdict.score:.3f}")
        return " · ".join(parts)


def _progress_cells(row: _Row) -> tuple[str, str]:
    point = row.point
    if row.outcome is not None:
        point = row.outcome.kept if row.outcome.verdict else row.outcome.point
    if point is None:
        return "", ""
    return f"{point.epoch:.1f}/{row.draw.epochs}", f"{row.draw.objective} {point.loss:.3f}"


def _state_cell(row: _Row) -> Text:
    if row.outcome is not None:
        style = "green" if row.outcome.accepted else "red" if row.outcome.verdict else "dim"
        return Text(describe_result(row.outcome), style=style)
    return Text(row.phase.value if row.phase else "starting", style="cyan")
