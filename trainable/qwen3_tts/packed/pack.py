"""Seats for trials on one frozen Qwen3-TTS. One forward and backward pass trains all of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from qwen_tts import Qwen3TTSModel
from torch import Tensor

from spaces.errors import InputError
from spaces.probe_settings import Sampling
from spaces.qwen3_tts import LOSSES, SUB_WEIGHT, Objective, QwenDraw, QwenPackShape
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Batch, SeatState, SpeechPrompt, Utterance
from trainable.qwen3_tts.data.prepared import PreparedData
from trainable.qwen3_tts.generation.speech import speak, takes_instructions
from trainable.qwen3_tts.model.codec_io import decode_codes, speaker_embedding
from trainable.qwen3_tts.model.frame_sampling import sample_frames
from trainable.qwen3_tts.model.losses import clip_losses
from trainable.qwen3_tts.model.precision import mixed_precision
from trainable.qwen3_tts.model.prompt import build_layout, think_prefix
from trainable.qwen3_tts.packed.linear import ActiveSeats
from trainable.qwen3_tts.packed.masks import make_masks
from trainable.qwen3_tts.packed.talker import PackedTalker
from trainable.stopping.curve import ClipRow


@dataclass(frozen=True)
class _Trial:
    draw: QwenDraw
    seed: int


class QwenPack:
    """See `trainable.family.protocol.Pack`.

    Before each pass its seats are moved to the first rows of the flat buffers, so that layers need no copy, only views.
    """

    loss_parts = tuple(LOSSES)

    def __init__(
        self,
        tts: Qwen3TTSModel,
        data: PreparedData,
        language: str,
        shape: QwenPackShape,
        seats: int,
        process_group: ProcessGroup,
    ) -> None:
        """Raises InputError for a language that the model does not know, and for targets that match nothing."""
        think_prefix(tts.model.config, language)
        self.batch = shape.batch
        self.split = data.split
        self.takes_instructions = takes_instructions(tts)
        self.device = tts.model.device
        self._tts, self._data, self._language, self._group = tts, data, language, process_group
        self._speaker = data.speakers[0].to(self.device)
        anchor = torch.zeros((), device=self.device, requires_grad=True)
        self._active = ActiveSeats(count=0, scale=torch.zeros(0, 1, 1), anchor=anchor)
        self._packed = PackedTalker(tts.model.talker, shape, self._active, self.device)
        self.allocate(seats)

    def allocate(self, seats: int) -> None:
        """Makes so many seats, all free. Trials that were seated are dropped."""
        self.seats = seats
        self._packed.allocate(seats)
        self._rows = list(range(seats))
        self._trials: dict[int, _Trial] = {}

    @property
    def row_bytes(self) -> int:
        """Bytes of one seat's weights, gradients and moments."""
        return self._packed.row_bytes

    @property
    def base_bytes(self) -> int:
        """Bytes of the frozen model."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self._tts.model.parameters())

    def resident(self) -> Iterator[Tensor]:
        """Yields every tensor that stays in memory between passes."""
        yield from self._tts.model.parameters()
        yield from self._tts.model.buffers()
        yield from self._packed.resident()

    def join(self, seat: int, draw: QwenDraw, seed: int) -> None:
        """Raises InputError if the seat is not free, or if the draw does not fit this pack."""
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
            return self._clip_rows(seats, batches, self._forward(seats, batches))

    def validate(self, seats: Sequence[int], clips: Sequence[int]) -> dict[int, list[ClipRow]]:
        with torch.no_grad():
            order = self._arrange(list(seats))
            batches = dict.fromkeys(order, Batch(clips, step=0))
            return self._clip_rows(order, batches, self._forward(order, batches, training=False))

    def accumulate(self, batches: Mapping[int, Batch]) -> dict[int, list[ClipRow]]:
        if not any(batch.clips for batch in batches.values()):
            return {seat: [] for seat in batches}
        seats = self._arrange(list(batches))
        losses = self._forward(seats, batches)
        # A row's loss depends on the weights of its own seat only, so the gradient of the sum is each seat's own.
        (self._training_loss(seats, losses) * self._row_shares(seats, batches)).sum().backward()
        return self._clip_rows(seats, batches, losses)

    def step(self, factors: Mapping[int, float]) -> dict[int, float]:
        with torch.no_grad():
            by_row = {self._rows[seat]: factor for seat, factor in factors.items()}
            norms = self._packed.flat.step(by_row, self._group.all_reduce_)
            self._packed.sync()
        return {seat: norms[self._rows[seat]] for seat in factors}

    def state(self, seat: int) -> SeatState:
        return self._packed.state(self._rows[seat], self._trials[seat].draw)

    def snapshot(self, seat: int) -> Callable[[], SeatState]:
        return self._packed.copy(self._rows[seat], self._trials[seat].draw)

    def load(self, seat: int, state: SeatState) -> None:
        with torch.no_grad():
            self._packed.load(self._rows[seat], self._trials[seat].draw, state)

    def speak(
        self, seats: Sequence[int], prompts: Sequence[SpeechPrompt], sampling: Sampling
    ) -> dict[int, list[Utterance]]:
        with torch.no_grad():
            order = self._arrange(list(seats))
        self._tts.model.talker.eval()
        utterances = speak(self._tts, self._speaker, self._language, prompts, sampling, len(order))
        return dict(zip(order, utterances, strict=True))

    def ground_truth(self, clip: int) -> np.ndarray:
        return decode_codes(self._tts, self._data.clips[clip].codes)

    def speaker_embedding(self, wave: np.ndarray) -> np.ndarray:
        return speaker_embedding(self._tts, wave)

    def _arrange(self, seats: list[int]) -> list[int]:
        """Moves these seats to the first rows with the fewest swaps, and returns their order there."""
        wanted = set(seats)
        by_row = {row: seat for seat, row in enumerate(self._rows)}
        leaving = [row for row in range(len(seats)) if by_row[row] not in wanted]
        entering = [row for row in range(len(seats), self.seats) if by_row[row] in wanted]
        for one, other in zip(leaving, entering, strict=True):
            self._packed.flat.swap(one, other)
            by_row[one], by_row[other] = by_row[other], by_row[one]
        if leaving:
            self._packed.sync()
        for row, seat in by_row.items():
            self._rows[seat] = row
        order = [by_row[row] for row in range(len(seats))]
        self._activate(order)
        return order

    def _activate(self, order: Sequence[int]) -> None:
        """Tells the packed layers which seats take part."""
        draws = [self._trials[seat].draw for seat in order]
        self._active.count = len(order)
        self._active.scale = self._column([draw.alpha / draw.rank for draw in draws])
        self._active.masks = None

    def _forward(self, seats: Sequence[int], batches: Mapping[int, Batch], training: bool = True) -> dict[str, Tensor]:
        """Losses of all seats' clips. Seats with fewer clips are padded by repeating one; the copies do not count."""
        rows = max(1, max(len(batches[seat].clips) for seat in seats))
        draws = [self._trials[seat].draw for seat in seats]
        row_ids = [
            (self._trials[seat].seed, batches[seat].step, clip)
            for seat in seats
            for clip in _pad_clips(batches[seat].clips, rows)
        ]
        shares = [draw.sub_frames for draw in draws for _ in range(rows)]
        clips = [self._data.clips[clip] for _, _, clip in row_ids]
        layout = build_layout(
            self._tts.model.config,
            clips,
            self._data.role_ids,
            self._language,
            sample_frames([len(clip.codes) for clip in clips], row_ids, shares),
            len(seats) if self._packed.predictor_width else None,
        ).to(self.device)
        talker = self._tts.model.talker
        talker.train(training)
        if training and any(draw.dropout for draw in draws):
            probabilities = self._column([draw.dropout for draw in draws])
            widths = self._packed.talker_width, self._packed.predictor_width
            self._active.masks = make_masks(row_ids, layout, probabilities, *widths)
        speakers = self._data.speakers[[clip.speaker for clip in clips]].to(self.device)
        with mixed_precision(self._tts.model):
            return clip_losses(talker, layout, speakers)

    def _training_loss(self, seats: Sequence[int], losses: Mapping[str, Tensor]) -> Tensor:
        """[rows]: each row's loss that its seat minimises; see `trainable.qwen3_tts.model.losses.training_loss`."""
        rows = len(losses["guide"]) // len(seats)
        draws = [self._trials[seat].draw for seat in seats]
        guide = torch.tensor([draw.objective is Objective.GUIDE for draw in draws], device=self.device)
        guide = guide.repeat_interleave(rows)
        objective = torch.where(guide, losses["guide"], losses["aligned"])
        if all(draw.sub_weight == SUB_WEIGHT for draw in draws):
            return objective
        extra = self._column([draw.sub_weight - SUB_WEIGHT for draw in draws]).flatten().repeat_interleave(rows)
        return objective + extra * torch.where(guide, losses["sub_shifted"], losses["sub"])

    def _row_shares(self, seats: Sequence[int], batches: Mapping[int, Batch]) -> Tensor:
        """[rows]: each row's weight in the gradient; 0 for a copy."""
        rows = max(1, max(len(batches[seat].clips) for seat in seats))
        shares = [
            batches[seat].weight if row < len(batches[seat].clips) else 0.0 for seat in seats for row in range(rows)
        ]
        return torch.tensor(shares, device=self.device, dtype=self._packed.flat.weights.dtype)

    def _clip_rows(
        self, seats: Sequence[int], batches: Mapping[int, Batch], losses: Mapping[str, Tensor]
    ) -> dict[int, list[ClipRow]]:
        """Each seat's losses, clip by clip, in a single transfer from the device."""
        parts = [losses[name].detach().float() for name in self.loss_parts]
        table = torch.stack(parts, dim=1).tolist()
        rows = len(table) // len(seats)
        return {
            seat: [tuple(row) for row in table[place * rows :][: len(batches[seat].clips)]]
            for place, seat in enumerate(seats)
        }

    def _column(self, values: Sequence[float]) -> Tensor:
        """[seats, 1, 1] in the dtype of the flat weights."""
        return torch.tensor(values, device=self.device, dtype=self._packed.flat.weights.dtype)[:, None, None]


def _pad_clips(clips: Sequence[int], rows: int) -> list[int]:
    """Pads to so many clips by repeating the first, or clip 0 if there is none."""
    return [*clips, *[clips[0] if clips else 0] * (rows - len(clips))]
