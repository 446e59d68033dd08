"""Which events of a bench are reported, and which are dropped."""

from __future__ import annotations

import pytest

from search.benches.outbox import Outbox
from search.tuning.tune_report import REPORT_SECONDS
from spaces.records.trial import Ending, Phase
from tests.support.made_runs import outcome, point
from trainable.training.events import Event, Failed, Finished, Progress, StorageFailed


class ClockedOutbox:
    """An outbox whose clock the test sets."""

    def __init__(self) -> None:
        self.now = 0.0
        self.outbox = Outbox(lambda: self.now)

    def put(self, trial: str, step: int, phase: Phase = Phase.TRAINING) -> None:
        self.outbox.put(Progress(trial, point(step), phase))


def test_progress_of_each_trial_is_thinned_except_the_start_of_probing():
    clocked = ClockedOutbox()
    for step in range(5):
        clocked.put("x", step)
    clocked.put("y", 0)
    clocked.now = REPORT_SECONDS
    clocked.put("x", 5)
    clocked.put("x", 6)
    for _ in range(2):
        clocked.put("x", 6, Phase.PROBING)
    steps = [(event.trial, event.point.step, event.phase.value) for event in clocked.outbox.take()]
    assert steps == [("x", 0, "training"), ("y", 0, "training"), ("x", 5, "training"), ("x", 6, "probing")]
    assert clocked.outbox.take() == ()


@pytest.mark.parametrize(
    "last",
    [Finished("x", outcome("x", Ending.EXHAUSTED)), Failed("x", "rank 4 is odd"), StorageFailed("x", "stale handle")],
)
def test_the_last_event_is_never_dropped(last: Event):
    clocked = ClockedOutbox()
    clocked.outbox.seated.add("x")
    clocked.put("x", 0)
    clocked.outbox.put(last)
    assert clocked.outbox.has_ending and not clocked.outbox.seated
    assert clocked.outbox.take() == (Progress("x", point(0), Phase.TRAINING), last)
    assert not clocked.outbox.has_ending
    clocked.put("x", 1)
    assert len(clocked.outbox.take()) == 1


def test_events_of_a_dismissed_trial_are_dropped():
    clocked = ClockedOutbox()
    clocked.outbox.seated.update("xy")
    clocked.put("x", 0)
    clocked.put("y", 0)
    clocked.outbox.forget("x")
    assert clocked.outbox.seated == {"y"}
    assert [event.trial for event in clocked.outbox.take()] == ["y"]
