"""The seats of a bench: how trials take and leave them, and when trials are probed together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from spaces.band import Band
from spaces.errors import InputError
from spaces.records.trial import Ending, Outcome, Phase
from spaces.records.trial_spec import TrialSpec
from tests.support.recorded_bench import RecordedBench
from tests.support.toy_voice import LONG, PASSES, SLOW, ToyVoice, in_folder, strict, timeless, timeless_curve
from trainable.files.trial_folder import TrialFolder
from trainable.training.checkpoint import read_checkpoints
from trainable.training.events import Failed, Finished
from trainable.training.run_trial import run_trial


def by_itself(voice: ToyVoice, spec: TrialSpec) -> Outcome:
    """Runs a trial in a pack of one seat. A draw of single clips needs the bench's pack, with a batch of two clips, so
    that its sums have the same order."""
    if spec.draw.batch > 1:
        return run_trial(spec, lambda event: None)
    recorded = RecordedBench(voice, seats=1)
    recorded.bench.seat(spec)
    recorded.run_until_empty()
    return recorded.outcomes[spec.trial]


SEVEN = {
    "in band": {},
    "dropped": {"dropout": 0.5},
    "hopeless": {"vector_lr": 1e-4},
    "exhausted": {"vector_lr": 0.05, "epochs": 2, "accumulation": 2},
    "overshot": {"band": Band(low=2.0, high=2.001)},
    "slower": {"vector_lr": 0.1, "accumulation": 3, "warmup": 5},
    "single clips": {"batch": 1, "accumulation": 2, "weight_decay": 0.5, "objective": "doubled"},
}


@pytest.fixture(scope="module")
def alone(voice: ToyVoice, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict, list[dict]]]:
    """Outcome and curve of each of the seven trials by itself."""
    folder, found = tmp_path_factory.mktemp("alone"), {}
    for name, changes in SEVEN.items():
        spec = in_folder(voice.spec(name, **changes), folder)
        found[name] = timeless(by_itself(voice, spec)), timeless_curve(spec.path)
    return found


@pytest.mark.parametrize("passes_between", [0, 3])
def test_trials_side_by_side_end_exactly_as_each_would_alone(
    voice: ToyVoice, alone: dict[str, tuple[dict, list[dict]]], tmp_path: Path, passes_between: int
) -> None:
    """Seven trials in four seats."""
    specs = [in_folder(voice.spec(name, **changes), tmp_path) for name, changes in SEVEN.items()]
    recorded, waiting = RecordedBench(voice, seats=4), list(specs)
    while waiting:
        recorded.bench.seat(waiting.pop(0))
        for _ in range(passes_between):
            recorded.bench.advance()
        recorded.until(lambda: recorded.free_seats > 0)
    recorded.run_until_empty()
    assert not recorded.failures
    for spec in specs:
        assert (timeless(recorded.outcomes[spec.trial]), timeless_curve(spec.path)) == alone[spec.trial]
    assert {outcome.ending for outcome in recorded.outcomes.values()} >= {
        Ending.IN_BAND,
        Ending.HOPELESS,
        Ending.EXHAUSTED,
        Ending.OVERSHOT,
    }


def test_a_trial_takes_a_seat_until_it_has_its_outcome(voice: ToyVoice, tmp_path: Path) -> None:
    recorded = RecordedBench(voice, seats=3)
    for expected, name in ((2, "one"), (1, "two")):
        recorded.bench.seat(in_folder(voice.spec(name, **LONG), tmp_path))
        assert recorded.free_seats == expected
    recorded.run_until_empty()
    assert [outcome.ending for outcome in recorded.outcomes.values()] == [Ending.EXHAUSTED] * 2
    assert recorded.points("one", Phase.TRAINING) == list(range(2 * PASSES + 1))


def test_a_trial_that_has_its_outcome_takes_no_seat(voice: ToyVoice, tmp_path: Path) -> None:
    """Even where every seat is taken."""
    spec = in_folder(voice.spec("once"), tmp_path)
    earlier, recorded = run_trial(spec, lambda event: None), RecordedBench(voice, seats=1)
    recorded.bench.seat(in_folder(voice.spec("other", **LONG), tmp_path))
    before = list(recorded.pack.log)
    recorded.bench.seat(spec)
    assert recorded.events[-1] == Finished("once", earlier)
    assert recorded.free_seats == 0 and recorded.pack.log == before


def test_a_join_that_fails_ends_only_that_trial(voice: ToyVoice, tmp_path: Path) -> None:
    recorded, failed = RecordedBench(voice, seats=2), Failed("misfit", "InputError: rank 512: too large")
    recorded.bench.seat(in_folder(voice.spec("sound", **LONG), tmp_path))
    recorded.pack.fails["join"] = InputError("rank 512: too large\nin two lines")
    recorded.bench.seat(in_folder(voice.spec("misfit", **LONG), tmp_path))
    assert recorded.failures == {"misfit": failed} and recorded.free_seats == 1
    recorded.pack.fails.clear()
    recorded.bench.seat(in_folder(voice.spec("next", **LONG), tmp_path))
    recorded.run_until_empty()
    assert recorded.outcomes.keys() == {"sound", "next"} and recorded.failures == {"misfit": failed}


def test_a_torn_checkpoint_ends_only_that_trial(voice: ToyVoice, tmp_path: Path) -> None:
    spec, recorded = in_folder(voice.spec("torn"), tmp_path), RecordedBench(voice, seats=2)
    run_trial(spec, lambda event: None)
    TrialFolder(spec.path).outcome.unlink()
    [checkpoint] = read_checkpoints(TrialFolder(spec.path).checkpoints)
    (checkpoint.folder / "adapter.safetensors").write_bytes(b"")
    recorded.bench.seat(in_folder(voice.spec("sound", **LONG), tmp_path))
    recorded.bench.seat(spec)
    assert recorded.failures.keys() == {"torn"} and recorded.free_seats == 1
    recorded.run_until_empty()
    assert recorded.outcomes.keys() == {"sound"}


def test_an_error_in_the_probe_ends_only_the_probed_trials(voice: ToyVoice, tmp_path: Path) -> None:
    recorded = RecordedBench(voice, seats=3)
    for name, changes in {"first": {}, "second": {}, "training": LONG}.items():
        spec = in_folder(voice.spec(name, **changes), tmp_path)
        recorded.bench.seat(spec.model_copy(update={"calibration": str(tmp_path / "nowhere")}))
    recorded.run_until_empty()
    assert recorded.failures.keys() == {"first", "second"}
    assert all(isinstance(event, Failed) for event in recorded.failures.values())
    assert all(str(tmp_path / "nowhere") in event.reason for event in recorded.failures.values())
    assert recorded.outcomes.keys() == {"training"}
    # Their files stay, and only the probe is left to do.
    again = RecordedBench(voice, seats=1)
    again.bench.seat(in_folder(voice.spec("first"), tmp_path))
    again.run_until_empty()
    assert again.outcomes["first"].verdict is not None
    assert "train" not in {call for call, _ in again.pack.log}


@pytest.mark.parametrize("call", ["join", "train", "speak"])
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("no room"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    ],
)
def test_a_lack_of_memory_and_a_lost_gpu_end_the_bench(
    voice: ToyVoice, tmp_path: Path, call: str, error: Exception
) -> None:
    recorded = RecordedBench(voice, seats=2)
    recorded.bench.seat(in_folder(voice.spec("one", **SLOW), tmp_path))
    recorded.pack.fails[call] = error
    with pytest.raises(type(error), match=str(error)):
        recorded.bench.seat(in_folder(voice.spec("two"), tmp_path))
        recorded.run_until_empty()
    assert not recorded.failures and not recorded.outcomes


def test_a_removed_trial_frees_its_seat_keeps_its_files_and_may_resume(voice: ToyVoice, tmp_path: Path) -> None:
    leaving, staying = (in_folder(voice.spec(name, **LONG), tmp_path) for name in ("leaving", "staying"))
    recorded = RecordedBench(voice, seats=2)
    recorded.bench.seat(leaving)
    recorded.bench.seat(staying)
    recorded.until(lambda: recorded.points("leaving", Phase.TRAINING)[-1:] == [PASSES + 2])
    recorded.bench.remove("unknown")
    assert recorded.free_seats == 0
    recorded.bench.remove("leaving")
    assert recorded.free_seats == 1 and not recorded.outcomes
    folder = TrialFolder(leaving.path)
    assert folder.read_outcome() is None and len(folder.read_points()) == PASSES + 3
    assert [each.state.point.step for each in read_checkpoints(folder.checkpoints)] == [PASSES]
    recorded.bench.advance()
    assert recorded.pack.log[-1] == ("train", (1,))
    recorded.bench.seat(leaving)
    recorded.run_until_empty()
    assert recorded.outcomes.keys() == {"leaving", "staying"}
    curves = [timeless_curve(spec.path) for spec in (leaving, staying)]
    assert curves[0] == curves[1] and len(curves[0]) == 2 * PASSES + 1


def test_stopping_cancels_trials_that_train_and_probes_those_that_wait(voice: ToyVoice, tmp_path: Path) -> None:
    recorded = RecordedBench(voice, seats=3)
    recorded.bench.seat(in_folder(voice.spec("ready"), tmp_path))
    for name in ("one", "two"):
        recorded.bench.seat(in_folder(voice.spec(name, **SLOW), tmp_path))
    recorded.until(lambda: ("train", (1, 2)) in recorded.pack.log)
    assert not recorded.outcomes
    steps = recorded.points("one", Phase.TRAINING)[-1]
    recorded.run_until_empty(stop=True)
    endings = {trial: outcome.ending for trial, outcome in recorded.outcomes.items()}
    assert endings == {"ready": Ending.IN_BAND, "one": Ending.CANCELLED, "two": Ending.CANCELLED}
    assert recorded.outcomes["ready"].accepted
    for name in ("one", "two"):
        assert recorded.outcomes[name].verdict is None and recorded.outcomes[name].point.step == steps
        [kept] = read_checkpoints(tmp_path / name / "checkpoints")
        assert kept.state.point.step == steps


def waits(log: Sequence[tuple[str, tuple[int, ...]]], seat: int) -> int:
    """Passes between the last training pass of a seat and its probe."""
    trained = max(at for at, (call, seats) in enumerate(log) if call == "train" and seat in seats)
    spoken = min(at for at, (call, seats) in enumerate(log) if call == "speak" and seat in seats)
    return spoken - trained - 1


def test_trials_that_are_ready_at_about_the_same_time_are_probed_together(voice: ToyVoice, tmp_path: Path) -> None:
    recorded = RecordedBench(voice, seats=3)
    recorded.bench.seat(in_folder(voice.spec("first"), tmp_path))
    recorded.bench.seat(in_folder(voice.spec("training", **SLOW), tmp_path))
    recorded.bench.advance()
    recorded.bench.seat(in_folder(voice.spec("second"), tmp_path))
    recorded.until(lambda: len(recorded.outcomes) == 2)
    assert recorded.outcomes.keys() == {"first", "second"}
    # Four lines first, and the rest because those did not reject the trial.
    assert [seats for call, seats in recorded.pack.log if call == "speak"] == [(0, 2), (0, 2)]
    assert waits(recorded.pack.log, 0) == waits(recorded.pack.log, 2) + 1
    verdicts = [outcome.verdict for outcome in recorded.outcomes.values()]
    assert verdicts[0] == verdicts[1] is not None


@pytest.mark.parametrize("accumulation", [1, 4])
def test_no_trial_waits_longer_than_half_an_epoch_for_others(
    voice: ToyVoice, tmp_path: Path, accumulation: int
) -> None:
    recorded = RecordedBench(voice, seats=2)
    recorded.bench.seat(in_folder(voice.spec("waiting", accumulation=accumulation), tmp_path))
    recorded.bench.seat(in_folder(voice.spec("training", **SLOW), tmp_path))
    recorded.until(lambda: "waiting" in recorded.outcomes)
    assert 0 < waits(recorded.pack.log, 0) <= PASSES / 2
    assert recorded.free_seats == 1


def test_the_last_trial_is_probed_at_once(voice: ToyVoice, tmp_path: Path) -> None:
    recorded = RecordedBench(voice, seats=2)
    recorded.bench.seat(in_folder(voice.spec("only"), tmp_path))
    recorded.run_until_empty()
    assert waits(recorded.pack.log, 0) == 0


def test_a_trial_with_the_wrong_voice_trains_on_in_its_band_and_is_probed_at_most_twice(
    voice: ToyVoice, tmp_path: Path
) -> None:
    spec = strict(voice.spec("one", vector_lr=0.02, epochs=100), tmp_path)
    recorded = RecordedBench(voice, seats=1)
    recorded.bench.seat(spec)
    recorded.run_until_empty()
    outcome, folder = recorded.outcomes["one"], TrialFolder(spec.path)
    second_chance = folder.read_second_chance()
    assert [call for call, _ in recorded.pack.log if call == "speak"] == ["speak"] * 4
    assert outcome.ending is Ending.IN_BAND and not outcome.accepted and outcome.other_verdict is not None
    assert second_chance.outcome.kept.loss in spec.band and outcome.point.loss in second_chance.band
    assert outcome.point.step > second_chance.outcome.kept.step
    assert (outcome.verdict.score, outcome.kept.step) >= (
        second_chance.outcome.verdict.score,
        second_chance.outcome.kept.step,
    )
    assert all((folder.path / recordings / "line_04.wav").is_file() for recordings in ("probe", "probe_2"))
    assert (folder.path / outcome.checkpoint).is_dir()


def test_a_second_chance_survives_a_lost_bench(voice: ToyVoice, tmp_path: Path) -> None:
    changes = {"vector_lr": 0.02, "epochs": 100}
    whole = strict(voice.spec("one", **changes), tmp_path / "whole")
    cut = strict(voice.spec("one", **changes), tmp_path / "cut")
    recorded = RecordedBench(voice, seats=1)
    recorded.bench.seat(cut)
    recorded.until(lambda: TrialFolder(cut.path).second_chance.exists())
    for spec in (whole, cut):
        recorded = RecordedBench(voice, seats=1)
        recorded.bench.seat(spec)
        recorded.run_until_empty()
    ended = [TrialFolder(spec.path).read_outcome() for spec in (whole, cut)]
    assert timeless(ended[0]) == timeless(ended[1])
    assert timeless_curve(whole.path) == timeless_curve(cut.path)
