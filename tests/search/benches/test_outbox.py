"""What a bench passes on, and what it may leave out."""

from __future__ import annotations

import errno

import pytest

from search.benches.outbox import Outbox
from search.tuning.tune_report import REPORT_SECONDS
from spaces.records.trial import Ending, Phase
from tests.support.made_runs import outcome, point
from trainable.training.events import Event, Failed, Finished, Lost, Progress, StorageFailed, event_of_error


class Told:
    """An outbox whose clock stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0
        self.outbox = Outbox(lambda: self.now)

    def say(self, trial: str, step: int, phase: Phase = Phase.TRAINING) -> None:
        self.outbox.put(Progress(trial, point(step), phase))


def test_points_of_a_trial_are_thinned_but_not_those_of_others_nor_the_start_of_probing():
    told = Told()
    for step in range(5):
        told.say("x", step)
    told.say("y", 0)
    told.now = REPORT_SECONDS
    told.say("x", 5)
    told.say("x", 6)
    for _ in range(2):
        told.say("x", 6, Phase.PROBING)
    steps = [(event.trial, event.point.step, event.phase.value) for event in told.outbox.take()]
    assert steps == [("x", 0, "training"), ("y", 0, "training"), ("x", 5, "training"), ("x", 6, "probing")]
    assert told.outbox.take() == ()


@pytest.mark.parametrize(
    "last",
    [Finished("x", outcome("x", Ending.EXHAUSTED)), Failed("x", "rank 4 is odd"), StorageFailed("x", "stale handle")],
)
def test_the_last_event_is_never_left_out(last: Event):
    told = Told()
    told.outbox.seated.add("x")
    told.say("x", 0)
    told.outbox.put(last)
    assert told.outbox.has_ending and not told.outbox.seated
    assert told.outbox.take() == (Progress("x", point(0), Phase.TRAINING), last)
    assert not told.outbox.has_ending
    told.say("x", 1)
    assert len(told.outbox.take()) == 1


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (ValueError("rank 4 is odd\nand more"), Failed("x", "ValueError: rank 4 is odd")),
        (OSError("stale handle"), StorageFailed("x", "OSError: stale handle")),
        (OSError(errno.ENOSPC, "disk full"), Lost("x", "OSError: [Errno 28] disk full")),
    ],
)
def test_an_error_of_storage_may_pass_and_another_may_not(error: Exception, event: Event):
    assert event_of_error("x", error) == event


def test_nothing_is_said_of_a_trial_that_was_dismissed():
    told = Told()
    told.outbox.seated.update("xy")
    told.say("x", 0)
    told.say("y", 0)
    told.outbox.forget("x")
    assert told.outbox.seated == {"y"}
    assert [event.trial for event in told.outbox.take()] == ["y"]
