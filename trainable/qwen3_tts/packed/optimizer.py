"""The trainable weights of all seats in a few flat buffers, and AdamW over them.

A seat is a row. One operation over the rows does for all seats what an optimizer does tensor by tensor. Each seat has
learning rates, a schedule, weight decay and a clipping norm of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spaces.draw import Draw

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""torch.optim.AdamW's own."""


@dataclass
class OptimizerSettings:
    """What AdamW needs to know of one seat besides its gradient."""

    lora_lr: float
    projection_lr: float
    weight_decay: float
    clip_norm: float
    steps: int = 0
    """Taken so far."""

    @classmethod
    def of(cls, draw: Draw) -> OptimizerSettings:
        return cls(draw.lora_lr, draw.text_projection_lr, draw.weight_decay, draw.clip_norm)


class FlatAdamW:
    """Weights, gradients and both moments, [seats, numbers] each; LoRA's numbers first, then text_projection's."""

    def __init__(self, seats: int, lora: int, projection: int, device: torch.device, dtype: torch.dtype) -> None:
        """`lora` and `projection` are numbers per seat."""
        self._lora = lora
        self.weights, self.gradients, self._first, self._second = (
            torch.zeros(seats, lora + projection, device=device, dtype=dtype) for _ in range(4)
        )
        self._recipes: list[OptimizerSettings | None] = [None] * seats

    @property
    def moments(self) -> tuple[Tensor, Tensor]:
        """First and second, [seats, numbers]."""
        return self._first, self._second

    def recipe(self, row: int) -> OptimizerSettings:
        recipe = self._recipes[row]
        if recipe is None:
            raise ValueError(f"expected somebody in row {row}, got an empty seat")
        return recipe

    def begin(self, row: int, recipe: OptimizerSettings) -> None:
        """Clears a row for another trial."""
        self.clear(row)
        self._recipes[row] = recipe

    def clear(self, row: int) -> None:
        for buffer in self._buffers():
            buffer[row].zero_()
        self._recipes[row] = None

    def swap(self, one: int, other: int) -> None:
        """Lets two rows change places."""
        for buffer in self._buffers():
            buffer[[one, other]] = buffer[[other, one]]
        recipes = self._recipes
        recipes[one], recipes[other] = recipes[other], recipes[one]

    def step(self, factors: Mapping[int, float], reduce: Callable[[Tensor], Tensor]) -> dict[int, float]:
        """One AdamW step of these rows, learning rates × the factor; their gradients are 0 afterwards.

        `reduce` sums a gradient over the process group in place. Returns each row's gradient norm before clipping.
        """
        norms: dict[int, float] = {}
        for rows in _runs(sorted(factors)):
            found = self._step(rows, [factors[row] for row in rows], reduce)
            norms.update(zip(rows, found.flatten().tolist(), strict=True))
        return norms

    def _step(self, rows: range, factors: Sequence[float], reduce: Callable[[Tensor], Tensor]) -> Tensor:
        span = slice(rows.start, rows.stop)
        weights, gradients, first, second = (buffer[span] for buffer in self._buffers())
        recipes = [self.recipe(row) for row in rows]
        for recipe in recipes:
            recipe.steps += 1
        reduce(gradients)
        trained = self._column([float(recipe.projection_lr > 0) for recipe in recipes])
        # A frozen text_projection has no part in the joint norm.
        gradients[:, self._lora :].mul_(trained)
        # `norm` adds up one number after the other on a CPU, and is off by 1e-3 at thirty million.
        norms = torch.linalg.vecdot(gradients, gradients)[:, None].sqrt()
        most = self._column([recipe.clip_norm for recipe in recipes])
        gradients.mul_((most / (norms + 1e-6)).clamp(max=1.0))
        first.lerp_(gradients, 1 - BETA1)
        second.mul_(BETA2).addcmul_(gradients, gradients, value=1 - BETA2)
        root = self._column([math.sqrt(1 - BETA2**recipe.steps) for recipe in recipes])
        update = second.sqrt().div_(root).add_(EPSILON)
        torch.div(first, update, out=update)
        lora = [recipe.lora_lr * factor for recipe, factor in zip(recipes, factors, strict=True)]
        projection = [recipe.projection_lr * factor for recipe, factor in zip(recipes, factors, strict=True)]
        for columns, rates in ((slice(0, self._lora), lora), (slice(self._lora, None), projection)):
            decay = [1 - rate * recipe.weight_decay for rate, recipe in zip(rates, recipes, strict=True)]
            size = [rate / (1 - BETA1**recipe.steps) for rate, recipe in zip(rates, recipes, strict=True)]
            weights[:, columns].mul_(self._column(decay)).sub_(update[:, columns].mul_(self._column(size)))
        gradients.zero_()
        return norms

    def _buffers(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.weights, self.gradients, self._first, self._second

    def _column(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, device=self.weights.device, dtype=self.weights.dtype)[:, None]


def _runs(rows: Sequence[int]) -> Iterator[range]:
    """Ascending rows as stretches without a gap, each of which is a view of the buffers."""
    start = 0
    for at in range(1, len(rows) + 1):
        if at == len(rows) or rows[at] != rows[at - 1] + 1:
            yield range(rows[start], rows[at - 1] + 1)
            start = at
