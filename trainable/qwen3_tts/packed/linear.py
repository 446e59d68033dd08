"""Layers that serve all seats in one call: a frozen linear with every seat's LoRA, and a linear per seat.

A batch is seat-major: all rows of the first seat, then all of the second, the same number each. So
`x.view(seats, -1, in)` needs no gather, and one batched product does the work of all seats. The backward pass adds the
gradients of the seats' weights straight into the flat buffers: autograd does not see those weights, and there is no
accumulation node per tensor.

Ranks are padded with zeros. Where A and B are zero both their gradients are zero, and AdamW leaves them zero.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainable.qwen3_tts.model.dropout import keep_mask, layer_factor

CODE_PREDICTOR = "code_predictor."
"""Starts the names of the code predictor's modules, whose rows are frames."""


@dataclass(frozen=True)
class DropoutMasks:
    """From which each layer makes its dropout mask in one forward pass."""

    limit: Tensor
    """[seats, 1, 1] int32: each seat's threshold, see `dropout.threshold`."""
    scale: Tensor
    """[seats, 1, 1]: 1 / (1 - dropout)."""
    talker: Tensor
    """[seats, rows × positions, width] int32 noise."""
    predictor: Tensor | None
    """[seats, frames × 16, width] int32 noise of the code predictor; None if it has no LoRA."""


@dataclass
class ActiveSeats:
    """The seats of the current pass, which all packed layers of a model share."""

    count: int
    """They are in the first rows of the flat buffers."""
    scale: Tensor
    """[seats, 1, 1]: alpha / rank."""
    anchor: Tensor
    """A leaf that requires a gradient, so that autograd visits layers whose input does not."""
    masks: DropoutMasks | None = None
    """None if no seat has dropout."""


@dataclass(frozen=True)
class WeightView:
    """A weight of all seats in the flat buffers: views [all seats, ...]."""

    weight: Tensor
    """In the base's dtype; the flat weights may be more precise."""
    gradient: Tensor


class PackedLinear(nn.Module):
    """A frozen linear + each seat's scale × dropout(x) A B. a: [seats, rank, in], b: [seats, rank, out]."""

    def __init__(self, base: nn.Linear, name: str, active: ActiveSeats) -> None:
        super().__init__()
        self.base = base
        self.a: WeightView | None = None
        self.b: WeightView | None = None
        self._active, self._factor = active, layer_factor(name)
        self._is_predictor = name.startswith(CODE_PREDICTOR)

    @property
    def weight(self) -> Tensor:
        """The frozen weight, whose dtype transformers reads."""
        return self.base.weight

    def forward(self, x: Tensor) -> Tensor:
        """x: [seats × rows, ..., in] → [seats × rows, ..., out]."""
        y = self.base(x)
        seats = self._active.count
        flat_x, flat_y = x.reshape(seats, -1, x.shape[-1]), y.reshape(seats, -1, y.shape[-1])
        dropped = self._dropout_factors(x.shape[-1], y.dtype)
        added = _LoraFunction.apply(
            self._active.anchor, flat_x.to(y.dtype), flat_y, self.a, self.b, self._active, dropped
        )
        return added.view_as(y)

    def _dropout_factors(self, width: int, dtype: torch.dtype) -> Tensor | None:
        """Factors of the input, [seats, n, width]: 0 where it is dropped, else 1 / (1 - dropout). None for all 1."""
        masks = self._active.masks
        if masks is None:
            return None
        noise = masks.predictor if self._is_predictor else masks.talker
        return torch.where(keep_mask(noise[..., :width], self._factor, masks.limit), masks.scale.to(dtype), 0)


class SeatLinear(nn.Module):
    """A linear with a weight [seats, out, in] and a bias [seats, out] per seat."""

    def __init__(self, active: ActiveSeats) -> None:
        super().__init__()
        self.weight: WeightView | None = None
        self.bias: WeightView | None = None
        self._active = active

    def forward(self, x: Tensor) -> Tensor:
        """x: [seats × rows, ..., in] → [seats × rows, ..., out]."""
        seats = self._active.count
        flat_x = x.reshape(seats, -1, x.shape[-1])
        y = _SeatLinearFunction.apply(self._active.anchor, flat_x, self.weight, self.bias, seats)
        return y.view(*x.shape[:-1], y.shape[-1])


class _LoraFunction(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        anchor: Tensor,
        x: Tensor,
        y: Tensor,
        a: WeightView,
        b: WeightView,
        active: ActiveSeats,
        factors: Tensor | None,
    ) -> Tensor:
        """x, factors: [seats, n, in], y: [seats, n, out] → y + scale × dropout(x) A B."""
        with torch.autocast(x.device.type, enabled=False):
            scale = active.scale[: active.count].to(x.dtype)
            inner = torch.bmm(_multiply(x, factors), a.weight[: active.count].transpose(1, 2)).mul_(scale)
            ctx.save_for_backward(x, inner, scale, factors)
            ctx.weights, ctx.seats = (a, b), active.count
            return torch.baddbmm(y, inner, b.weight[: active.count])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, inner, scale, factors = ctx.saved_tensors
        a, b = ctx.weights
        into_inner = torch.bmm(gradient, b.weight[: ctx.seats].transpose(1, 2)).mul_(scale)
        _accumulate_product(b.gradient[: ctx.seats], inner.transpose(1, 2), gradient)
        _accumulate_product(a.gradient[: ctx.seats], into_inner.transpose(1, 2), _multiply(x, factors))
        into_x = None
        if ctx.needs_input_grad[1]:
            into_x = _multiply(torch.bmm(into_inner, a.weight[: ctx.seats]), factors)
        return None, into_x, gradient if ctx.needs_input_grad[2] else None, None, None, None, None


class _SeatLinearFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, anchor: Tensor, x: Tensor, weight: WeightView, bias: WeightView, seats: int) -> Tensor:
        """x: [seats, n, in] → [seats, n, out], in the dtype of x."""
        with torch.autocast(x.device.type, enabled=False):
            ctx.save_for_backward(x)
            ctx.weights, ctx.seats = (weight, bias), seats
            return torch.baddbmm(bias.weight[:seats, None], x, weight.weight[:seats].transpose(1, 2))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        weight, bias = ctx.weights
        _accumulate_product(weight.gradient[: ctx.seats], gradient.transpose(1, 2), x)
        bias.gradient[: ctx.seats].add_(gradient.sum(dim=1))
        into_x = torch.bmm(gradient, weight.weight[: ctx.seats]) if ctx.needs_input_grad[1] else None
        return None, into_x, None, None, None


def _multiply(x: Tensor, factors: Tensor | None) -> Tensor:
    return x if factors is None else x * factors


def _accumulate_product(into: Tensor, left: Tensor, right: Tensor) -> None:
    """Adds left @ right to a gradient, whose dtype may be more precise than theirs."""
    if into.dtype == left.dtype:
        into.baddbmm_(left, right)
    else:
        into.add_(torch.bmm(left, right))
