"""AdamW over the trainable weights of all seats, which lie in a few flat buffers.

Each row of a buffer is a seat. One operation over the rows does for all seats what an optimizer does tensor by tensor.
Each seat has its own learning rates, schedule, weight decay and clipping norm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spaces.qwen3_tts import QwenDraw

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""The defaults of torch.optim.AdamW."""


@dataclass
class SeatProgress:
    """The trial of one row."""

    draw: QwenDraw
    steps: int = 0
    """Steps taken so far."""


class FlatAdamW:
    """Weights, gradients and both moments, [seats, size] each: LoRA's parameters first, then text_projection's."""

    def __init__(
        self, seats: int, lora_size: int, projection_size: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        """The sizes are parameters per seat."""
        self._lora_size = lora_size
        self.weights, self.gradients, self._first, self._second = (
            torch.zeros(seats, lora_size + projection_size, device=device, dtype=dtype) for _ in range(4)
        )
        self._rows: list[SeatProgress | None] = [None] * seats

    @property
    def moments(self) -> tuple[Tensor, Tensor]:
        """First and second moments, [seats, size]."""
        return self._first, self._second

    def progress(self, row: int) -> SeatProgress:
        """Raises ValueError for an empty row."""
        progress = self._rows[row]
        if progress is None:
            raise ValueError(f"expected a trial in row {row}, got an empty row")
        return progress

    def begin(self, row: int, draw: QwenDraw) -> None:
        """Clears a row for a new trial."""
        self.clear(row)
        self._rows[row] = SeatProgress(draw)

    def clear(self, row: int) -> None:
        for buffer in self._buffers():
            buffer[row].zero_()
        self._rows[row] = None

    def swap(self, one: int, other: int) -> None:
        """Exchanges two rows."""
        for buffer in self._buffers():
            buffer[[one, other]] = buffer[[other, one]]
        rows = self._rows
        rows[one], rows[other] = rows[other], rows[one]

    def step(self, factors: Mapping[int, float], all_reduce: Callable[[Tensor], Tensor]) -> dict[int, float]:
        """Takes one AdamW step for these rows with their learning rates × the factor, and zeroes their gradients.

        `all_reduce` sums a gradient over the process group in place. Returns each row's gradient norm before clipping.
        """
        norms: dict[int, float] = {}
        for rows in _consecutive(sorted(factors)):
            of_rows = self._step(rows, [factors[row] for row in rows], all_reduce)
            norms.update(zip(rows, of_rows.flatten().tolist(), strict=True))
        return norms

    def _step(self, rows: range, factors: Sequence[float], all_reduce: Callable[[Tensor], Tensor]) -> Tensor:
        """Returns the gradient norms, [rows, 1]."""
        span = slice(rows.start, rows.stop)
        weights, gradients, first, second = (buffer[span] for buffer in self._buffers())
        progress = [self.progress(row) for row in rows]
        draws = [each.draw for each in progress]
        for each in progress:
            each.steps += 1
        all_reduce(gradients)
        trained = self._column([float(draw.text_projection_lr > 0) for draw in draws])
        # A frozen text_projection is left out of the joint norm.
        gradients[:, self._lora_size :].mul_(trained)
        # On a CPU `norm` adds one number after another, which is off by 1e-3 at thirty million numbers.
        norms = torch.linalg.vecdot(gradients, gradients)[:, None].sqrt()
        clip_norms = self._column([draw.clip_norm for draw in draws])
        gradients.mul_((clip_norms / (norms + 1e-6)).clamp(max=1.0))
        first.lerp_(gradients, 1 - BETA1)
        second.mul_(BETA2).addcmul_(gradients, gradients, value=1 - BETA2)
        correction = self._column([math.sqrt(1 - BETA2**each.steps) for each in progress])
        update = second.sqrt().div_(correction).add_(EPSILON)
        torch.div(first, update, out=update)
        lora = [draw.lora_lr * factor for draw, factor in zip(draws, factors, strict=True)]
        projection = [draw.text_projection_lr * factor for draw, factor in zip(draws, factors, strict=True)]
        for columns, rates in ((slice(0, self._lora_size), lora), (slice(self._lora_size, None), projection)):
            decay = [1 - rate * draw.weight_decay for rate, draw in zip(rates, draws, strict=True)]
            step_size = [rate / (1 - BETA1**each.steps) for rate, each in zip(rates, progress, strict=True)]
            weights[:, columns].mul_(self._column(decay)).sub_(update[:, columns].mul_(self._column(step_size)))
        gradients.zero_()
        return norms

    def _buffers(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.weights, self.gradients, self._first, self._second

    def _column(self, values: Sequence[float]) -> Tensor:
        """[rows, 1] in the dtype of the weights."""
        return torch.tensor(values, device=self.weights.device, dtype=self.weights.dtype)[:, None]


def _consecutive(rows: Sequence[int]) -> Iterator[range]:
    """Divides ascending rows into ranges without gaps, each of which is a view of the buffers."""
    start = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or rows[end] != rows[end - 1] + 1:
            yield range(rows[start], rows[end - 1] + 1)
            start = end
