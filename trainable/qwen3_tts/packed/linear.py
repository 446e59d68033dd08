"""Layers that serve all seats in one call: a frozen linear with every seat's LoRA on it, and a linear per seat.

A batch is seat-major: all rows of the first seat, then all of the second, equally many each. So `x.view(seats, -1, in)`
needs no gather, and one batched product does the work of all seats. Gradients of the seats' weights are added straight
into the flat buffers: autograd sees none of those weights, and there is no accumulation node per tensor.

Ranks are padded with zeros. Where A and B are zero both their gradients are zero and AdamW leaves them zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainable.qwen3_tts.model.dropout import kept, layer_factor

CODE_PREDICTOR = "code_predictor."
"""Before the names of its modules; their rows are frames."""


@dataclass(frozen=True)
class DropoutMasks:
    """What dropout masks of one forward pass are made from."""

    most: Tensor
    """[seats, 1, 1] int32: each seat's threshold."""
    grown: Tensor
    """[seats, 1, 1]: 1 / (1 - dropout)."""
    talker: Tensor
    """[seats, rows × positions, width] int32 noise."""
    predictor: Tensor | None
    """[seats, frames × 16, width] int32 noise of the code predictor; None where it has no LoRA."""


@dataclass
class Seating:
    """What all packed layers of a model look up when they are called."""

    seats: int
    """Those that take part; they sit in the first rows."""
    scale: Tensor
    """[seats, 1, 1]: alpha / r."""
    anchor: Tensor
    """A leaf that requires a gradient, so that autograd visits layers whose input does not."""
    masks: DropoutMasks | None = None
    """None where nobody drops anything."""


@dataclass(frozen=True)
class Slot:
    """Where a weight lies in the flat buffers: views [all seats, ...]."""

    weight: Tensor
    """As it is multiplied: in the base's type, of which the flat weights may be a finer copy."""
    gradient: Tensor


class PackedLinear(nn.Module):
    """A frozen linear + each seat's scale × dropout(x) A B. a: [seats, rank, in], b: [seats, rank, out]."""

    def __init__(self, base: nn.Linear, name: str, seating: Seating) -> None:
        super().__init__()
        self.base = base
        self.a: Slot | None = None
        self.b: Slot | None = None
        self._seating, self._factor = seating, layer_factor(name)
        self._is_predictor = name.startswith(CODE_PREDICTOR)

    @property
    def weight(self) -> Tensor:
        """The frozen weight: transformers reads its dtype here and there."""
        return self.base.weight

    def forward(self, x: Tensor) -> Tensor:
        y = self.base(x)
        seats = self._seating.seats
        flat_x, flat_y = x.reshape(seats, -1, x.shape[-1]), y.reshape(seats, -1, y.shape[-1])
        growth = self._growth(x.shape[-1], y.dtype)
        added = _Lora.apply(self._seating.anchor, flat_x.to(y.dtype), flat_y, self.a, self.b, self._seating, growth)
        return added.view_as(y)

    def _growth(self, width: int, dtype: torch.dtype) -> Tensor | None:
        """What the input is multiplied by: 0 where it is dropped, else 1 / (1 - dropout). None where nobody drops."""
        masks = self._seating.masks
        if masks is None:
            return None
        noise = masks.predictor if self._is_predictor else masks.talker
        return torch.where(kept(noise[..., :width], self._factor, masks.most), masks.grown.to(dtype), 0)


class SeatLinear(nn.Module):
    """A linear with a weight [seats, out, in] and a bias [seats, out] per seat."""

    def __init__(self, seating: Seating) -> None:
        super().__init__()
        self.weight: Slot | None = None
        self.bias: Slot | None = None
        self._seating = seating

    def forward(self, x: Tensor) -> Tensor:
        seats = self._seating.seats
        y = _Linear.apply(self._seating.anchor, x.reshape(seats, -1, x.shape[-1]), self.weight, self.bias, seats)
        return y.view(*x.shape[:-1], y.shape[-1])


class _Lora(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, anchor: Tensor, x: Tensor, y: Tensor, a: Slot, b: Slot, seating: Seating, growth: Tensor | None
    ) -> Tensor:
        """x: [seats, n, in], y: [seats, n, out] → y + scale × dropout(x) A B."""
        with torch.autocast(x.device.type, enabled=False):
            scale = seating.scale[: seating.seats].to(x.dtype)
            inner = torch.bmm(_grown(x, growth), a.weight[: seating.seats].transpose(1, 2)).mul_(scale)
            ctx.save_for_backward(x, inner, scale, growth)
            ctx.slots, ctx.seats = (a, b), seating.seats
            return torch.baddbmm(y, inner, b.weight[: seating.seats])

    @staticmethod
    def backward(ctx, gradient: Tensor):
        x, inner, scale, growth = ctx.saved_tensors
        a, b = ctx.slots
        into_inner = torch.bmm(gradient, b.weight[: ctx.seats].transpose(1, 2)).mul_(scale)
        _add_product(b.gradient[: ctx.seats], inner.transpose(1, 2), gradient)
        _add_product(a.gradient[: ctx.seats], into_inner.transpose(1, 2), _grown(x, growth))
        into_x = None
        if ctx.needs_input_grad[1]:
            into_x = _grown(torch.bmm(into_inner, a.weight[: ctx.seats]), growth)
        return None, into_x, gradient if ctx.needs_input_grad[2] else None, None, None, None, None


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, anchor: Tensor, x: Tensor, weight: Slot, bias: Slot, seats: int) -> Tensor:
        """x: [seats, n, in] → [seats, n, out], in the type of x."""
        with torch.autocast(x.device.type, enabled=False):
            ctx.save_for_backward(x)
            ctx.slots, ctx.seats = (weight, bias), seats
            return torch.baddbmm(bias.weight[:seats, None], x, weight.weight[:seats].transpose(1, 2))

    @staticmethod
    def backward(ctx, gradient: Tensor):
        (x,) = ctx.saved_tensors
        weight, bias = ctx.slots
        _add_product(weight.gradient[: ctx.seats], gradient.transpose(1, 2), x)
        bias.gradient[: ctx.seats].add_(gradient.sum(dim=1))
        into_x = torch.bmm(gradient, weight.weight[: ctx.seats]) if ctx.needs_input_grad[1] else None
        return None, into_x, None, None, None


def _grown(x: Tensor, growth: Tensor | None) -> Tensor:
    return x if growth is None else x * growth


def _add_product(into: Tensor, left: Tensor, right: Tensor) -> None:
    """Adds left @ right to a gradient, whose type may be finer than theirs."""
    if into.dtype == left.dtype:
        into.baddbmm_(left, right)
    else:
        into.add_(torch.bmm(left, right))
