"""Seats for trials on one frozen Qwen3-TTS: every forward pass trains all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from qwen_tts import Qwen3TTSModel
from torch import Tensor

from spaces.draw import SUB_WEIGHT, Draw, Objective
from spaces.errors import InputError
from spaces.probe_settings import Sampling
from spaces.records.pack_shape import PackShape
from spaces.records.trial import Losses
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Batch, ClipLosses, SeatState, SpeechPrompt, Utterance
from trainable.qwen3_tts.data.prepared import PreparedData
from trainable.qwen3_tts.generation.speech import mixed_precision, speak, takes_instructions
from trainable.qwen3_tts.model.codec_io import ground_truth, speaker_embedding
from trainable.qwen3_tts.model.losses import clip_losses
from trainable.qwen3_tts.model.prompt import lay_out, picked_frames, think_prefix
from trainable.qwen3_tts.packed.linear import Seating
from trainable.qwen3_tts.packed.masks import make_masks
from trainable.qwen3_tts.packed.talker import PackedTalker
from trainable.stopping.curve import ClipRow


@dataclass(frozen=True)
class _Trial:
    draw: Draw
    seed: int


class QwenPack:
    """See `trainable.family.protocol.Pack`. Seats that take part in a pass move to the first rows: all is views."""

    def __init__(
        self,
        tts: Qwen3TTSModel,
        data: PreparedData,
        language: str,
        shape: PackShape,
        seats: int,
        process_group: ProcessGroup,
    ) -> None:
        """Raises InputError on a language that the model does not know, and on targets that match nothing."""
        think_prefix(tts.model.config, language)
        self.batch = shape.batch
        self.split = data.split
        self.takes_instructions = takes_instructions(tts)
        self.device = tts.model.device
        self._tts, self._data, self._language, self._group = tts, data, language, process_group
        self._speaker = data.speakers[0].to(self.device)
        anchor = torch.zeros((), device=self.device, requires_grad=True)
        self._seating = Seating(seats=0, scale=torch.zeros(0, 1, 1), anchor=anchor)
        self._packed = PackedTalker(tts.model.talker, shape, self._seating, self.device)
        self.allocate(seats)

    def allocate(self, seats: int) -> None:
        """Makes room for so many seats; whoever sat there is gone."""
        self.seats = seats
        self._packed.allocate(seats)
        self._rows = list(range(seats))
        self._trials: dict[int, _Trial] = {}

    @property
    def row_bytes(self) -> int:
        """What one seat's weights, gradients and moments take."""
        return self._packed.row_bytes

    @property
    def base_bytes(self) -> int:
        """What the frozen model takes."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self._tts.model.parameters())

    def resident(self) -> Iterator[Tensor]:
        """Everything that stays in memory between passes."""
        yield from self._tts.model.parameters()
        yield from self._tts.model.buffers()
        yield from self._packed.resident()

    def join(self, seat: int, draw: Draw, seed: int) -> None:
        """Raises InputError when the draw does not fit this pack."""
        if seat in self._trials or not 0 <= seat < self.seats:
            raise InputError(f"expected a free seat below {self.seats}, got {seat}")
        with torch.no_grad():
            self._packed.begin(self._rows[seat], draw, seed)
        self._trials[seat] = _Trial(draw, seed)

    def leave(self, seat: int) -> None:
        if self._trials.pop(seat, None) is not None:
            self._packed.flat.clear(self._rows[seat])

    def losses(self, batches: Mapping[int, Batch]) -> dict[int, list[ClipRow]]:
        with torch.no_grad():
            seats = self._arrange(list(batches))
            return self._rows_of(seats, batches, self._forward(seats, batches))

    def validate(self, seats: Sequence[int], clips: Sequence[int]) -> dict[int, list[ClipRow]]:
        with torch.no_grad():
            order = self._arrange(list(seats))
            batches = dict.fromkeys(order, Batch(clips, step=0))
            return self._rows_of(order, batches, self._forward(order, batches, training=False))

    def accumulate(self, batches: Mapping[int, Batch]) -> dict[int, list[ClipRow]]:
        if not any(batch.clips for batch in batches.values()):
            return {seat: [] for seat in batches}
        seats = self._arrange(list(batches))
        losses = self._forward(seats, batches)
        # A seat's gradient lies in its own rows only, so that of the sum is everybody's own.
        (self._descended(seats, losses) * self._shares(seats, batches)).sum().backward()
        return self._rows_of(seats, batches, losses)

    def step(self, factors: Mapping[int, float]) -> dict[int, float]:
        with torch.no_grad():
            by_row = {self._rows[seat]: factor for seat, factor in factors.items()}
            norms = self._packed.flat.step(by_row, self._group.all_reduce_)
            self._packed.lower()
        return {seat: norms[self._rows[seat]] for seat in factors}

    def state(self, seat: int) -> SeatState:
        return self._packed.state(self._rows[seat], self._trials[seat].draw)

    def snapshot(self, seat: int) -> Callable[[], SeatState]:
        return self._packed.copy(self._rows[seat], self._trials[seat].draw)

    def load(self, seat: int, state: SeatState) -> None:
        with torch.no_grad():
            self._packed.load(self._rows[seat], self._trials[seat].draw, state)

    def speak(
        self, seats: Sequence[int], cues: Sequence[SpeechPrompt], sampling: Sampling
    ) -> dict[int, list[Utterance]]:
        with torch.no_grad():
            order = self._arrange(list(seats))
        self._tts.model.talker.eval()
        said = speak(self._tts, self._speaker, self._language, cues, sampling, len(order))
        return dict(zip(order, said, strict=True))

    def ground_truth(self, clip: int) -> np.ndarray:
        return ground_truth(self._tts, self._data.clips[clip].codes)

    def speaker_embedding(self, wave: np.ndarray) -> np.ndarray:
        return speaker_embedding(self._tts, wave)

    def _arrange(self, seats: list[int]) -> list[int]:
        """Brings these seats into the first rows, in the order that costs the fewest moves, and returns that order."""
        wanted = set(seats)
        by_row = {row: seat for seat, row in enumerate(self._rows)}
        strangers = [row for row in range(len(seats)) if by_row[row] not in wanted]
        late = [row for row in range(len(seats), self.seats) if by_row[row] in wanted]
        for one, other in zip(strangers, late, strict=True):
            self._packed.flat.swap(one, other)
            by_row[one], by_row[other] = by_row[other], by_row[one]
        if strangers:
            self._packed.lower()
        for row, seat in by_row.items():
            self._rows[seat] = row
        order = [by_row[row] for row in range(len(seats))]
        self._sit(order)
        return order

    def _sit(self, order: Sequence[int]) -> None:
        """Tells the packed layers who takes part."""
        draws = [self._trials[seat].draw for seat in order]
        self._seating.seats = len(order)
        self._seating.scale = self._column([draw.alpha / draw.rank for draw in draws])
        self._seating.masks = None

    def _forward(self, seats: Sequence[int], batches: Mapping[int, Batch], training: bool = True) -> ClipLosses:
        """Losses of all seats' clips, every seat's filled up to equally many with repetitions that do not count."""
        rows = max(1, max(len(batches[seat].clips) for seat in seats))
        draws = [self._trials[seat].draw for seat in seats]
        parts = [
            (self._trials[seat].seed, batches[seat].step, clip)
            for seat in seats
            for clip in _filled(batches[seat].clips, rows)
        ]
        shares = [draw.sub_frames for draw in draws for _ in range(rows)]
        clips = [self._data.clips[clip] for _, _, clip in parts]
        layout = lay_out(
            self._tts.model.config,
            clips,
            self._data.role_ids,
            self._language,
            picked_frames([len(clip.codes) for clip in clips], parts, shares),
            len(seats) if self._packed.predictor_width else None,
        ).to(self.device)
        talker = self._tts.model.talker
        talker.train(training)
        if training and any(draw.dropout for draw in draws):
            drops = self._column([draw.dropout for draw in draws])
            widths = self._packed.talker_width, self._packed.predictor_width
            self._seating.masks = make_masks(parts, layout, drops, *widths)
        speakers = self._data.speakers[[clip.speaker for clip in clips]].to(self.device)
        with mixed_precision(self._tts.model):
            return clip_losses(talker, layout, speakers)

    def _descended(self, seats: Sequence[int], losses: ClipLosses) -> Tensor:
        """[rows]: of each row what its seat descends, as `trainable.family.protocol.training_loss` has it."""
        rows = len(losses.guide) // len(seats)
        draws = [self._trials[seat].draw for seat in seats]
        guide = torch.tensor([draw.objective is Objective.GUIDE for draw in draws], device=self.device)
        guide = guide.repeat_interleave(rows)
        whole = torch.where(guide, losses.guide, losses.aligned)
        if all(draw.sub_weight == SUB_WEIGHT for draw in draws):
            return whole
        more = self._column([draw.sub_weight - SUB_WEIGHT for draw in draws]).flatten().repeat_interleave(rows)
        return whole + more * torch.where(guide, losses.sub_shifted, losses.sub)

    def _shares(self, seats: Sequence[int], batches: Mapping[int, Batch]) -> Tensor:
        """[rows]: what each row counts in the gradient; 0 for a repetition."""
        rows = max(1, max(len(batches[seat].clips) for seat in seats))
        shares = [
            batches[seat].weight if row < len(batches[seat].clips) else 0.0 for seat in seats for row in range(rows)
        ]
        return torch.tensor(shares, device=self.device, dtype=self._packed.flat.weights.dtype)

    def _rows_of(
        self, seats: Sequence[int], batches: Mapping[int, Batch], losses: ClipLosses
    ) -> dict[int, list[ClipRow]]:
        """Each seat's losses, clip by clip; a single transfer from the device."""
        parts = [getattr(losses, name).detach().float() for name in Losses.model_fields]
        table = torch.stack(parts, dim=1).tolist()
        rows = len(table) // len(seats)
        return {
            seat: [tuple(row) for row in table[at * rows :][: len(batches[seat].clips)]]
            for at, seat in enumerate(seats)
        }

    def _column(self, values: Sequence[float]) -> Tensor:
        """[seats, 1, 1] in the type of the flat weights."""
        return torch.tensor(values, device=self.device, dtype=self._packed.flat.weights.dtype)[:, None, None]


def _filled(clips: Sequence[int], rows: int) -> list[int]:
    """So many clips: these, and repetitions."""
    return [*clips, *[clips[0] if clips else 0] * (rows - len(clips))]
