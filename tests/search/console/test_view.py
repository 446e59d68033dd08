"""The views of a running search, in a terminal and in a file."""

from __future__ import annotations

import io

from rich.console import Console

from search.console.live import LiveView, open_view
from search.console.plain import PlainView
from spaces.records.trial import Ending, Phase
from tests.support.made_runs import base, draw, outcome, point, verdict
from trainable.probe.criteria.criteria_table import Flag

BAD = verdict([0.2, 0.1], ("2 of 2 lines are garbled",), Flag.GARBLED)


def follow(view) -> None:
    """The events of a small search."""
    view.progress("encoding clips", 1, 48)
    view.progress("encoding clips", 2, 48)
    view.base(base([0.6, 0.6]))
    view.started("t000", draw())
    for step in range(5):
        view.point("t000", point(step, 3.0), Phase.TRAINING)
    view.point("t000", point(24, 2.5), Phase.PROBING)
    view.ended(outcome("t000", verdict=verdict([0.8, 0.8]), stopped=point(24, 2.5)))
    view.started("t001", draw(rank=16))
    view.ended(outcome("t001", verdict=BAD, drawn=draw(rank=16)))
    view.started("t002", draw())
    view.point("t002", point(12, 4.0), Phase.TRAINING)


def test_in_a_file_each_event_is_a_line_without_control_codes():
    file = io.StringIO()
    with open_view(Console(file=file, width=60), trials=6, at_once=2) as view:
        assert isinstance(view, PlainView)
        follow(view)
    output = file.getvalue()
    assert "\x1b" not in output
    assert output.splitlines() == [
        "encoding clips",
        "base model: accepted, score 0.600",
        f"t000 starts: {draw().describe()}",
        "t000 is being probed at loss 2.500",
        "t000 ended: in_band, accepted, score 0.800; its reason",
        f"t001 starts: {draw(rank=16).describe()}",
        "t001 ended: in_band, rejected, score 0.150 (garbled ×2); its reason",
        f"t002 starts: {draw().describe()}",
    ]


def test_a_trial_that_starts_again_is_announced():
    file = io.StringIO()
    view = PlainView(Console(file=file))
    view.started("t000", draw())
    view.started("t000", draw())
    assert file.getvalue().splitlines()[1] == "t000 starts again"


def rendered(view: LiveView) -> str:
    file = io.StringIO()
    Console(file=file, width=140).print(view.render())
    return file.getvalue()


def test_in_a_terminal_there_is_one_table_with_a_bar_and_the_best_so_far():
    console = Console(file=io.StringIO(), force_terminal=True, width=140, height=30)
    view = LiveView(console, trials=6, at_once=2)
    assert rendered(view).strip() == ""
    follow(view)
    table = rendered(view)
    for words in (
        "in_band, accepted, score 0.800",
        "in_band, rejected, score 0.150 (garbled ×2)",
        "training",
        "1.0/8",
        "aligned 4.000",
        "2 of 6 trials, less than a minute left",
        "base model 0.600 · best so far t000, score 0.800",
    ):
        assert words in table
    view.ended(outcome("t002", Ending.HOPELESS, stopped=point(26, 4.5)))
    assert "hopeless" in rendered(view) and "3 of 6" in rendered(view)


def test_a_table_longer_than_the_terminal_keeps_its_latest_trials():
    view = LiveView(Console(file=io.StringIO(), force_terminal=True, width=140, height=14), trials=20, at_once=2)
    for number in range(20):
        view.started(f"t{number:03d}", draw())
    table = rendered(view)
    assert "t019" in table and "t005" not in table
