"""A probe that waits for words: what other seats do meanwhile, and that its verdict is the same as without a wait."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spaces.records.trial import Ending, Outcome, Phase
from spaces.records.trial_spec import TrialSpec
from tests.support.held_recogniser import TEXT_BY_FRAMES, HeldRecogniser, frames, hear_with
from tests.support.recorded_bench import RecordedBench
from tests.support.toy_voice import LINES, LONG, SLOW, ToyVoice, in_folder, strict, timeless, timeless_curve
from trainable.family.process_group import ProcessGroup
from trainable.files.trial_folder import TrialFolder

COMPLETE = {"band": None, "epochs": 6}
"""A trial that trains all of its epochs and is probed."""


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> HeldRecogniser:
    return hear_with(HeldRecogniser(), monkeypatch)


def calls(recorded: RecordedBench, call: str) -> list[tuple[int, ...]]:
    return [seats for name, seats in recorded.pack.log if name == call]


def until_held(recorded: RecordedBench, held: HeldRecogniser, passes: int = 3) -> None:
    """Until a probe waits and the others have trained that many passes beside it."""
    recorded.until(lambda: bool(held.pending))
    for _ in range(passes):
        recorded.bench.advance()


def run(recorded: RecordedBench, held: HeldRecogniser, passes: int, done: Callable[[], bool] | None = None) -> None:
    """Until it is done, or all seats are free; each transcript comes so many passes after it was asked for."""

    def advance() -> bool:
        if held.pending:
            for _ in range(passes):
                recorded.bench.advance()
            held.release()
        return done() if done else recorded.free_seats == recorded.pack.seats

    recorded.until(advance)


@pytest.fixture(scope="module")
def at_once(voice: ToyVoice, tmp_path_factory: pytest.TempPathFactory) -> Callable[[TrialSpec], tuple]:
    """What a trial like this leaves by itself, with a recogniser that never lets a probe wait."""
    known: dict[str, tuple] = {}

    def leave(spec: TrialSpec) -> tuple:
        alone, recorded = in_folder(spec, tmp_path_factory.mktemp("at_once")), RecordedBench(voice, seats=1)
        key = alone.model_dump_json(exclude={"trial", "folder", "calibration"}) + Path(spec.calibration).name
        if key not in known:
            with pytest.MonkeyPatch.context() as patch:
                hear_with(HeldRecogniser(), patch).is_held = False
                recorded.bench.seat(alone)
                recorded.run_until_empty()
            known[key] = left(alone, recorded.outcomes[spec.trial])
        return known[key]

    return leave


def left(spec: TrialSpec, outcome: Outcome) -> tuple:
    recordings = {file.name: file.read_bytes() for file in sorted(spec.path.glob("probe*/*.wav"))}
    return {**timeless(outcome), "trial": ""}, timeless_curve(spec.path), recordings


def test_others_train_while_words_are_missing_and_nothing_else_changes(
    voice: ToyVoice, at_once: Callable, held: HeldRecogniser, tmp_path: Path
) -> None:
    specs = [in_folder(voice.spec("one"), tmp_path), in_folder(voice.spec("other", **COMPLETE), tmp_path)]
    recorded = RecordedBench(voice, seats=2)
    for spec in specs:
        recorded.bench.seat(spec)
    recorded.until(lambda: bool(held.pending))
    trained = len(calls(recorded, "train"))
    run(recorded, held, 4, lambda: "one" in recorded.outcomes)
    # It waits for the words of four lines, and for those of the rest.
    assert len(calls(recorded, "train")) - trained >= 2 * 4
    assert calls(recorded, "speak") == [(0,), (0,)] and recorded.outcomes["one"].accepted
    assert [line.heard for line in recorded.outcomes["one"].verdict.lines] == [
        TEXT_BY_FRAMES[frames(line)] for line in LINES
    ]
    run(recorded, held, 4)
    for spec in specs:
        assert left(spec, recorded.outcomes[spec.trial]) == at_once(spec)


def test_a_bench_without_a_seat_to_train_comes_back_while_words_are_missing(
    voice: ToyVoice, held: HeldRecogniser, tmp_path: Path
) -> None:
    recorded = RecordedBench(voice, seats=2)
    recorded.bench.seat(in_folder(voice.spec("one"), tmp_path))
    until_held(recorded, held)
    assert not recorded.outcomes
    recorded.bench.seat(in_folder(voice.spec("later", **LONG), tmp_path))
    recorded.until(lambda: calls(recorded, "train")[-1] == (1,))
    assert not recorded.outcomes
    run(recorded, held, 0)
    assert recorded.outcomes.keys() == {"one", "later"}


def test_a_trial_that_is_ready_meanwhile_waits_for_the_next_probe(
    voice: ToyVoice, at_once: Callable, held: HeldRecogniser, tmp_path: Path
) -> None:
    specs = [in_folder(voice.spec(name), tmp_path) for name in ("first", "second")]
    recorded = RecordedBench(voice, seats=2)
    recorded.bench.seat(specs[0])
    until_held(recorded, held, 1)
    recorded.bench.seat(specs[1])
    recorded.until(lambda: recorded.bench._seated[1].trained is not None)
    until_held(recorded, held)
    assert calls(recorded, "speak") == [(0,)] and recorded.points("second", Phase.PROBING) == []
    run(recorded, held, 1)
    assert calls(recorded, "speak") == [(0,), (0,), (1,), (1,)]
    for spec in specs:
        assert left(spec, recorded.outcomes[spec.trial]) == at_once(spec)


def test_a_trial_that_leaves_its_seat_is_heard_no_more_and_the_others_are(
    voice: ToyVoice, at_once: Callable, held: HeldRecogniser, tmp_path: Path
) -> None:
    """A new trial takes the seat while the probe waits."""
    leaving, staying, new = (in_folder(voice.spec(name), tmp_path) for name in ("leaving", "staying", "new"))
    recorded = RecordedBench(voice, seats=2)
    recorded.bench.seat(leaving)
    recorded.bench.seat(staying)
    until_held(recorded, held, 1)
    recorded.bench.remove("leaving")
    recorded.bench.seat(new)
    run(recorded, held, 2)
    assert recorded.outcomes.keys() == {"staying", "new"} and not recorded.failures
    assert calls(recorded, "speak") == [(0, 1), (1,), (0,), (0,)]
    for spec in (staying, new):
        assert left(spec, recorded.outcomes[spec.trial]) == at_once(spec)
    assert TrialFolder(leaving.path).read_outcome() is None
    recorded.bench.seat(leaving)
    run(recorded, held, 0)
    assert left(leaving, recorded.outcomes["leaving"]) == at_once(leaving)


def test_a_probe_whose_only_trial_leaves_is_given_up(voice: ToyVoice, held: HeldRecogniser, tmp_path: Path) -> None:
    recorded = RecordedBench(voice, seats=1)
    recorded.bench.seat(in_folder(voice.spec("leaving"), tmp_path))
    until_held(recorded, held, 1)
    recorded.bench.remove("leaving")
    recorded.bench.seat(in_folder(voice.spec("next", **LONG), tmp_path))
    recorded.run_until_empty()
    assert recorded.outcomes.keys() == {"next"}


def test_stopping_ends_what_trains_and_the_probe_goes_on(voice: ToyVoice, held: HeldRecogniser, tmp_path: Path) -> None:
    recorded = RecordedBench(voice, seats=2)
    recorded.bench.seat(in_folder(voice.spec("probed"), tmp_path))
    recorded.bench.seat(in_folder(voice.spec("training", **SLOW), tmp_path))
    until_held(recorded, held, 1)
    recorded.until(lambda: "training" in recorded.outcomes, stop=True)
    assert recorded.outcomes["training"].ending is Ending.CANCELLED and "probed" not in recorded.outcomes
    held.is_held = False
    held.release()
    recorded.run_until_empty(stop=True)
    assert recorded.outcomes["probed"].accepted


def test_an_error_of_the_recogniser_ends_only_the_probed_trials(
    voice: ToyVoice, held: HeldRecogniser, tmp_path: Path
) -> None:
    recorded = RecordedBench(voice, seats=3)
    for name, changes in {"one": {}, "two": {}, "training": LONG}.items():
        recorded.bench.seat(in_folder(voice.spec(name, **changes), tmp_path))
    until_held(recorded, held, 1)
    assert not recorded.failures
    held.pending.pop()[0].set_exception(RuntimeError("no words"))
    held.release()
    recorded.run_until_empty()
    assert {name: event.reason for name, event in recorded.failures.items()} == dict.fromkeys(
        ("one", "two"), "RuntimeError: no words"
    )
    assert recorded.outcomes.keys() == {"training"}


def test_a_second_chance_is_the_same_with_a_wait(
    voice: ToyVoice, at_once: Callable, held: HeldRecogniser, tmp_path: Path
) -> None:
    spec = strict(voice.spec("one", vector_lr=0.02, epochs=100), tmp_path)
    recorded = RecordedBench(voice, seats=2)
    recorded.bench.seat(spec)
    recorded.bench.seat(in_folder(voice.spec("beside", **SLOW), tmp_path))
    run(recorded, held, 2, lambda: "one" in recorded.outcomes)
    assert calls(recorded, "speak") == [(0,)] * 4 and recorded.outcomes["one"].other_verdict is not None
    assert left(spec, recorded.outcomes["one"]) == at_once(spec)


def test_waiting_costs_a_trial_nothing(
    voice: ToyVoice, held: HeldRecogniser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a clock that moves by six seconds per training pass, and by sixty per call of speak."""
    recorded, now = RecordedBench(voice, seats=2), [0.0]
    monkeypatch.setattr("trainable.training.bench.time.perf_counter", lambda: now[0])
    for name, seconds in {"accumulate": 6.0, "losses": 6.0, "speak": 60.0}.items():
        inner = getattr(recorded.pack, name)

        def outer(*arguments, inner=inner, seconds=seconds):
            now[0] += seconds
            return inner(*arguments)

        monkeypatch.setattr(recorded.pack, name, outer)
    recorded.bench.seat(in_folder(voice.spec("one"), tmp_path))
    recorded.bench.seat(in_folder(voice.spec("other", **SLOW), tmp_path))
    recorded.until(lambda: bool(held.pending))
    trained = recorded.bench._seated[0].trainer.point.gpu_seconds
    run(recorded, held, 7, lambda: "one" in recorded.outcomes)
    outcome = recorded.outcomes["one"]
    assert outcome.gpu_seconds == pytest.approx(trained + 120.0) and outcome.probe_seconds == pytest.approx(120.0)
    assert outcome.gpu_seconds + recorded.bench._seated[1].trainer.gpu_seconds == pytest.approx(now[0])


class _ThreadGroup(ProcessGroup):
    """Two "processes" that are threads. Like torch's groups it pairs the calls of both by their order."""

    def __init__(self, rank: int, channel: queue.Queue, meeting: threading.Barrier) -> None:
        self.size, self.rank, self._channel, self._meeting = 2, rank, channel, meeting

    def broadcast(self, value: Any) -> Any:
        if self.is_main:
            self._channel.put(value)
            self.barrier()
            return value
        received = self._channel.get(timeout=60)
        self.barrier()
        return received

    def barrier(self) -> None:
        self._meeting.wait(timeout=60)

    def all_reduce_(self, tensor: Any) -> Any:
        self._channel.put(tensor.clone()) if not self.is_main else None
        self.barrier()
        if self.is_main:
            tensor += self._channel.get()
            self._channel.put(tensor.clone())
        self.barrier()
        if not self.is_main:
            tensor.copy_(self._channel.get())
        self.barrier()
        return tensor


def test_the_processes_of_a_group_make_the_same_passes_while_one_waits(
    voice: ToyVoice, held: HeldRecogniser, tmp_path: Path
) -> None:
    channel, meeting = queue.Queue(), threading.Barrier(2)
    benches = [RecordedBench(voice, 2, _ThreadGroup(rank, channel, meeting)) for rank in range(2)]
    specs = [in_folder(voice.spec("one"), tmp_path), in_folder(voice.spec("other", **SLOW), tmp_path)]
    raised: list[BaseException] = []

    def work(recorded: RecordedBench) -> None:
        try:
            for spec in specs:
                recorded.bench.seat(spec)
            if recorded is benches[0]:
                for _ in range(200):
                    if held.pending and passes_since_speaking(recorded) >= 3:
                        held.release()
                    is_done = recorded.bench._group.broadcast("one" in recorded.outcomes)
                    if is_done:
                        return
                    recorded.bench.advance()
            else:
                while not recorded.bench._group.broadcast(None):
                    recorded.bench.advance()
        except BaseException as error:
            raised.append(error)
            meeting.abort()

    threads = [threading.Thread(target=work, args=(recorded,)) for recorded in benches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not raised
    logs = [[call for call in recorded.pack.log if call[0] != "speak"] for recorded in benches]
    assert logs[0] == logs[1] and ("train", (1,)) in logs[0]
    assert calls(benches[0], "speak") == [(0,), (0,)] and calls(benches[1], "speak") == []
    assert benches[0].outcomes["one"].accepted and TrialFolder(specs[0].path).read_outcome() is not None


def passes_since_speaking(recorded: RecordedBench) -> int:
    names = [name for name, _ in recorded.pack.log]
    return names[::-1].index("speak") if "speak" in names else 0
