"""A bench of the toy family that records its events and the calls of its pack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from spaces.draw import Draw
from spaces.probe_settings import Sampling
from spaces.records.trial import Outcome, Phase
from tests.support import toy_family
from tests.support.toy_pack import ToyPack
from tests.support.toy_voice import ToyVoice
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Batch, SpeechPrompt, Utterance
from trainable.stopping.curve import ClipRow
from trainable.training.bench import Bench
from trainable.training.events import Event, Failed, Finished, Lost, Progress


class LoggingPack(ToyPack):
    """Records which seats trained and spoke together. `fails`: the error to raise, by the name of the call."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.log: list[tuple[str, tuple[int, ...]]] = []
        self.fails: dict[str, Exception] = {}

    def _record(self, call: str, seats: Sequence[int]) -> None:
        self.log.append((call, tuple(seats)))
        if call in self.fails:
            raise self.fails[call]

    def join(self, seat: int, draw: Draw, seed: int) -> None:
        self._record("join", [seat])
        super().join(seat, draw, seed)

    def validate(self, seats: Sequence[int], clips: Sequence[int]) -> dict[int, list[ClipRow]]:
        self._record("validate", seats)
        return super().validate(seats, clips)

    def accumulate(self, batches: Mapping[int, Batch]) -> dict[int, list[ClipRow]]:
        self._record("train", list(batches))
        return super().accumulate(batches)

    def speak(
        self, seats: Sequence[int], prompts: Sequence[SpeechPrompt], sampling: Sampling
    ) -> dict[int, list[Utterance]]:
        self._record("speak", seats)
        return super().speak(seats, prompts, sampling)


class RecordedBench:
    """A bench of the toy family, and the events that it emitted."""

    def __init__(self, voice: ToyVoice, seats: int, process_group: ProcessGroup | None = None) -> None:
        group = process_group or ProcessGroup()

        def build_learner(draw: Draw | None, seed: int) -> toy_family.ToyLearner:
            return toy_family.build(str(voice.root / "model"), voice.root / "prepared", "auto", draw, seed)

        self.events: list[Event] = []
        self.pack = LoggingPack(build_learner, 2, seats, group)
        self.bench = Bench(self.pack, group, self.events.append)

    @property
    def free_seats(self) -> int:
        return self.pack.seats - len(self.pack._packs)

    def until(self, done: Callable[[], bool], stop: bool = False) -> None:
        for _ in range(500):
            if done():
                return
            self.bench.advance(stop)
        raise AssertionError("not done after 500 passes")

    def run_until_empty(self, stop: bool = False) -> None:
        self.until(lambda: self.free_seats == self.pack.seats, stop)

    @property
    def outcomes(self) -> dict[str, Outcome]:
        return {event.trial: event.outcome for event in self.events if isinstance(event, Finished)}

    @property
    def failures(self) -> dict[str, Failed | Lost]:
        return {event.trial: event for event in self.events if isinstance(event, (Failed, Lost))}

    def points(self, trial: str, phase: Phase) -> list[int]:
        progress = [event for event in self.events if isinstance(event, Progress) and event.trial == trial]
        return [event.point.step for event in progress if event.phase is phase]
