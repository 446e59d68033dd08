"""GPU seconds of trials: trials in a pack share the time of a pass."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from spaces.records.trial import Phase
from tests.support.recorded_bench import RecordedBench
from tests.support.toy_voice import LONG, PASSES, ToyVoice, in_folder
from trainable.files.trial_folder import TrialFolder
from trainable.training.checkpoint import read_checkpoints


def test_trials_share_the_time_of_a_pass(voice: ToyVoice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that only moves by six seconds per forward pass and by sixty per call of speak."""
    recorded, now = RecordedBench(voice, seats=3), [0.0]
    monkeypatch.setattr("trainable.training.bench.time.perf_counter", lambda: now[0])
    costs = {"accumulate": 6.0, "losses": 6.0, "speak": 60.0}
    for name, seconds in costs.items():
        inner = getattr(recorded.pack, name)

        def outer(*arguments, inner=inner, seconds=seconds):
            now[0] += seconds
            return inner(*arguments)

        monkeypatch.setattr(recorded.pack, name, outer)
    first, second = (in_folder(voice.spec(name), tmp_path) for name in ("first", "second"))
    recorded.bench.seat(first)
    recorded.until(lambda: recorded.points("first", Phase.TRAINING)[-1:] == [1])
    alone = now[0]
    recorded.bench.seat(second)
    recorded.run_until_empty()
    spent = {trial: outcome.gpu_seconds for trial, outcome in recorded.outcomes.items()}
    assert sum(spent.values()) == pytest.approx(now[0])
    assert spent["first"] > alone and spent["second"] < now[0] - alone
    spent_at = [point.gpu_seconds for point in TrialFolder(first.path).read_points()]
    assert spent_at[:3] == [alone - 6.0, alone, alone + 3.0]


def test_trials_cost_no_more_than_the_time_of_the_bench(voice: ToyVoice, tmp_path: Path) -> None:
    started, recorded = time.perf_counter(), RecordedBench(voice, seats=2)
    for name in ("one", "two"):
        recorded.bench.seat(in_folder(voice.spec(name), tmp_path))
    recorded.run_until_empty()
    spent = [outcome.gpu_seconds for outcome in recorded.outcomes.values()]
    assert all(spent) and sum(spent) <= time.perf_counter() - started


def test_the_cost_of_an_earlier_attempt_counts(voice: ToyVoice, tmp_path: Path) -> None:
    spec, recorded = in_folder(voice.spec("again", **LONG), tmp_path), RecordedBench(voice, seats=1)
    recorded.bench.seat(spec)
    recorded.until(lambda: recorded.points("again", Phase.TRAINING)[-1:] == [PASSES + 1])
    kept = read_checkpoints(TrialFolder(spec.path).checkpoints)[-1].state.point
    recorded.bench.remove("again")
    recorded.bench.seat(spec)
    recorded.run_until_empty()
    later = [point.gpu_seconds for point in TrialFolder(spec.path).read_points() if point.step > kept.step]
    assert 0 < kept.gpu_seconds < min(later)
