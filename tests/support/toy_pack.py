"""A pack of the toy family: seats that share only the process. Each has a learner, and they run in turn."""

from collections.abc import Callable, Mapping, Sequence

from spaces.draw import Draw
from spaces.probe_settings import Sampling
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Batch, Learner, SeatState, SpeechPrompt, Utterance
from trainable.stopping.curve import ClipRow
from trainable.training.single_seat import SingleSeatPack


class ToyPack:
    """See `trainable.family.protocol.Pack`."""

    def __init__(
        self, build_learner: Callable[[Draw | None, int], Learner], batch: int, seats: int, process_group: ProcessGroup
    ) -> None:
        base = build_learner(None, 0)
        self.seats, self.batch, self.device = seats, batch, base.device
        self.split, self.takes_instructions, self.loss_parts = base.split, base.takes_instructions, base.loss_parts
        self.ground_truth, self.speaker_embedding = base.ground_truth, base.speaker_embedding
        self._build_learner, self._group = build_learner, process_group
        self._packs: dict[int, SingleSeatPack] = {}

    def join(self, seat: int, draw: Draw, seed: int) -> None:
        assert seat not in self._packs
        self._packs[seat] = SingleSeatPack(self._build_learner(draw, seed), draw, self._group)
        self._packs[seat].join(0, draw, seed)

    def leave(self, seat: int) -> None:
        self._packs.pop(seat, None)

    def losses(self, batches: Mapping[int, Batch]) -> dict[int, list[ClipRow]]:
        return {seat: self._packs[seat].losses({0: batch})[0] for seat, batch in batches.items()}

    def validate(self, seats: Sequence[int], clips: Sequence[int]) -> dict[int, list[ClipRow]]:
        return {seat: self._packs[seat].validate([0], clips)[0] for seat in seats}

    def accumulate(self, batches: Mapping[int, Batch]) -> dict[int, list[ClipRow]]:
        return {seat: self._packs[seat].accumulate({0: batch})[0] for seat, batch in batches.items()}

    def step(self, lr_factors: Mapping[int, float]) -> dict[int, float]:
        return {seat: self._packs[seat].step({0: factor})[0] for seat, factor in lr_factors.items()}

    def state(self, seat: int) -> SeatState:
        return self._packs[seat].state(0)

    def snapshot(self, seat: int) -> Callable[[], SeatState]:
        return self._packs[seat].snapshot(0)

    def load(self, seat: int, state: SeatState) -> None:
        self._packs[seat].load(0, state)

    def speak(
        self, seats: Sequence[int], prompts: Sequence[SpeechPrompt], sampling: Sampling
    ) -> dict[int, list[Utterance]]:
        return {seat: self._packs[seat].speak([0], prompts, sampling)[0] for seat in seats}
