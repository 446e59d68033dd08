"""A talker with room for many adapters: which modules are packed, and where each seat's weights lie."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spaces.draw import Draw
from spaces.errors import InputError
from spaces.records.pack_shape import PackShape
from trainable.family.protocol import SeatState
from trainable.qwen3_tts.checkpoint.check import PACKABLE
from trainable.qwen3_tts.model.lora import TEXT_PROJECTION
from trainable.qwen3_tts.packed.linear import CODE_PREDICTOR, PackedLinear, Seating, SeatLinear, Slot
from trainable.qwen3_tts.packed.optimizer import FlatAdamW, OptimizerSettings

PEFT_PREFIX = "base_model.model."
"""Before module names in PEFT's adapter files."""
MOMENTS = ("exp_avg", "exp_avg_sq")
PROJECTIONS = ("linear_fc1", "linear_fc2")


@dataclass(frozen=True)
class _Region:
    """One weight of a seat within its row of the flat buffers."""

    name: str
    """As PEFT's adapter files name it."""
    module: str
    offset: int
    shape: tuple[int, ...]
    is_lora: bool
    is_b: bool = False
    """B lies transposed, so that its rank can be cut and padded like A's."""

    def of(self, buffer: Tensor) -> Tensor:
        """[seats, numbers] → [seats, *shape], a view."""
        length = torch.Size(self.shape).numel()
        return buffer[:, self.offset : self.offset + length].view(-1, *self.shape)

    def cut(self, buffer: Tensor, row: int, rank: int) -> Tensor:
        """One seat's part as PEFT has it, without padded ranks: a view."""
        whole = self.of(buffer)[row]
        if not self.is_lora:
            return whole
        return whole[:rank].T if self.is_b else whole[:rank]


class PackedTalker:
    """Puts packed layers into a frozen talker, in place. A seat is a row here; who sits in it is the pack's affair."""

    def __init__(self, talker: nn.Module, shape: PackShape, seating: Seating, device: torch.device) -> None:
        """Raises InputError when the targets match no linear module of the talker's layers."""
        self._talker, self._shape, self._seating, self._device = talker, shape, seating, device
        self._dtype = next(talker.parameters()).dtype
        self._frozen = {
            f"{PEFT_PREFIX}{TEXT_PROJECTION}.{name}": value.detach().clone()
            for name, value in talker.text_projection.named_parameters()
        }
        self._regions = self._pack_linears()
        self._regions += self._pack_projection(self._numbers(is_lora=True))
        self.talker_width = self._width(in_predictor=False)
        """The widest input of a packed layer in the talker itself; 0 without one."""
        self.predictor_width = self._width(in_predictor=True)
        """The same of the code predictor, whose rows are frames."""
        self.allocate(1)

    @property
    def row_bytes(self) -> int:
        """Of one seat, in all buffers, and of a copy of its weights."""
        buffers = [*self.resident(), self.flat.weights]
        return sum(buffer[0].numel() * buffer.element_size() for buffer in buffers)

    def resident(self) -> list[Tensor]:
        """The buffers, [seats, numbers] each."""
        flat = [self.flat.weights, self.flat.gradients, *self.flat.moments]
        return flat if self._lowered is self.flat.weights else [*flat, self._lowered]

    def allocate(self, seats: int) -> None:
        """Room for so many seats, all empty."""
        fine = torch.float64 if self._dtype == torch.float64 else torch.float32
        self.flat = FlatAdamW(seats, self._numbers(is_lora=True), self._numbers(is_lora=False), self._device, fine)
        weights = self.flat.weights
        self._lowered = weights if fine == self._dtype else weights.to(self._dtype)
        for region in self._regions:
            owner, attribute = self._talker.get_submodule(region.module), region.name.rsplit(".", 1)[1]
            if region.is_lora:
                attribute = "b" if region.is_b else "a"
            setattr(owner, attribute, Slot(region.of(self._lowered), region.of(self.flat.gradients)))

    def begin(self, row: int, draw: Draw, seed: int) -> None:
        """Fresh weights as PEFT starts them: A uniform within 1/√in, B zero, text_projection the base's own.

        The first rows of A are the same at every rank. Raises InputError when the draw has no room here.
        """
        self._refuse_misfit(draw)
        self.flat.begin(row, OptimizerSettings.of(draw))
        for region in self._regions:
            if not region.is_lora:
                region.of(self.flat.weights)[row].copy_(self._frozen[region.name])
            elif not region.is_b and _is_targeted(region, draw):
                generator = torch.Generator().manual_seed(random.Random(f"{seed}/{region.name}").getrandbits(63))
                width = region.shape[1]
                start = (torch.rand(draw.rank, width, generator=generator) * 2 - 1) * width**-0.5
                region.cut(self.flat.weights, row, draw.rank).copy_(start)
        self.lower()

    def lower(self) -> None:
        """Brings the weights that are multiplied up to those that are trained, where their types differ."""
        if self._lowered is not self.flat.weights:
            self._lowered.copy_(self.flat.weights)

    def state(self, row: int, draw: Draw) -> SeatState:
        """See `trainable.family.protocol.Pack.state`."""
        steps = self.flat.recipe(row).steps
        moments: dict[str, Tensor] = {}
        for kind, buffer in zip(MOMENTS, self.flat.moments, strict=True):
            for region in self._trained(draw):
                if steps and (region.is_lora or draw.text_projection_lr > 0):
                    moments[f"{region.name}.{kind}"] = _copied(region.cut(buffer, row, draw.rank))
        return SeatState(self._weights(self.flat.weights, row, draw), moments, steps)

    def copy(self, row: int, draw: Draw) -> Callable[[], SeatState]:
        """See `trainable.family.protocol.Pack.copy`."""
        copied, steps = self.flat.weights[row : row + 1].clone(), self.flat.recipe(row).steps
        return lambda: SeatState(self._weights(copied, 0, draw), {}, steps)

    def load(self, row: int, draw: Draw, state: SeatState) -> None:
        """See `trainable.family.protocol.Pack.load`."""
        expected = {region.name for region in self._trained(draw)} | self._frozen.keys()
        if expected != state.weights.keys():
            odd = sorted(expected ^ state.weights.keys())
            raise KeyError(f"expected the weights of this draw's adapter, got another set: {odd[0]} differs")
        for region in self._trained(draw):
            region.cut(self.flat.weights, row, draw.rank).copy_(state.weights[region.name])
            for kind, buffer in zip(MOMENTS, self.flat.moments, strict=True):
                moment = state.moments.get(f"{region.name}.{kind}")
                cut = region.cut(buffer, row, draw.rank)
                cut.zero_() if moment is None else cut.copy_(moment)
        self.flat.recipe(row).steps = state.step
        self.lower()

    def _weights(self, buffer: Tensor, row: int, draw: Draw) -> dict[str, Tensor]:
        """One seat's weights on the CPU, text_projection's too where nobody trains it."""
        frozen = {} if self._shape.text_projection else self._frozen
        weights = {name: _copied(value.to(buffer.dtype)) for name, value in frozen.items()}
        return weights | {region.name: _copied(region.cut(buffer, row, draw.rank)) for region in self._trained(draw)}

    def _pack_linears(self) -> list[_Region]:
        patterns = [re.compile(pattern) for pattern in self._shape.targets]
        chosen = {
            name: module
            for name, module in self._talker.named_modules()
            if isinstance(module, nn.Linear)
            and PACKABLE.fullmatch(name)
            and any(pattern.fullmatch(name) for pattern in patterns)
        }
        if not chosen:
            raise InputError(f"targets: {', '.join(self._shape.targets)} matches none of the talker's linear modules")
        regions: list[_Region] = []
        offset, rank = 0, self._shape.rank
        for name, module in chosen.items():
            parent, _, child = name.rpartition(".")
            setattr(self._talker.get_submodule(parent), child, PackedLinear(module, name, self._seating))
            for letter, width in (("A", module.in_features), ("B", module.out_features)):
                full = f"{PEFT_PREFIX}{name}.lora_{letter}.weight"
                regions.append(_Region(full, name, offset, (rank, width), True, letter == "B"))
                offset += rank * width
        return regions

    def _pack_projection(self, offset: int) -> list[_Region]:
        """`offset` is where its numbers begin."""
        if not self._shape.text_projection:
            return []
        regions: list[_Region] = []
        projection = self._talker.text_projection
        for layer in PROJECTIONS:
            base = getattr(projection, layer)
            setattr(projection, layer, SeatLinear(self._seating))
            for part in ("weight", "bias"):
                shape = tuple(getattr(base, part).shape)
                name = f"{TEXT_PROJECTION}.{layer}"
                regions.append(_Region(f"{PEFT_PREFIX}{name}.{part}", name, offset, shape, False))
                offset += torch.Size(shape).numel()
        return regions

    def _numbers(self, is_lora: bool) -> int:
        """Of one seat, in LoRA or in text_projection."""
        return sum(torch.Size(region.shape).numel() for region in self._regions if region.is_lora == is_lora)

    def _width(self, in_predictor: bool) -> int:
        """A's shape is [rank, in]."""
        lora = [region for region in self._regions if region.is_lora and not region.is_b]
        widths = [region.shape[1] for region in lora if region.module.startswith(CODE_PREDICTOR) == in_predictor]
        return max(widths, default=0)

    def _trained(self, draw: Draw) -> list[_Region]:
        return [region for region in self._regions if not region.is_lora or _is_targeted(region, draw)]

    def _refuse_misfit(self, draw: Draw) -> None:
        if draw.rank > self._shape.rank:
            raise InputError(
                f"rank {draw.rank}: expected at most {self._shape.rank}, which is what this pack has room for"
            )
        if draw.text_projection_lr > 0 and not self._shape.text_projection:
            raise InputError("text_projection_lr: expected 0 in a pack without text_projection")
        if not any(region.is_lora and _is_targeted(region, draw) for region in self._regions):
            raise InputError(f"targets: {draw.targets!r} matches none of the modules that this pack has room for")


def _is_targeted(region: _Region, draw: Draw) -> bool:
    return re.fullmatch(draw.target_pattern, region.module) is not None


def _copied(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True).contiguous()
