"""A talker with many adapters: which modules are packed, and where each seat's weights lie in the flat buffers."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spaces.errors import InputError
from spaces.qwen3_tts import QwenDraw, QwenPackShape
from trainable.family.protocol import SeatState
from trainable.qwen3_tts.checkpoint.check import PACKABLE
from trainable.qwen3_tts.model.lora import PEFT_PREFIX, TEXT_PROJECTION
from trainable.qwen3_tts.packed.linear import CODE_PREDICTOR, ActiveSeats, PackedLinear, SeatLinear, WeightView
from trainable.qwen3_tts.packed.optimizer import FlatAdamW

MOMENTS = ("exp_avg", "exp_avg_sq")
PROJECTIONS = ("linear_fc1", "linear_fc2")


@dataclass(frozen=True)
class _WeightRegion:
    """One weight of a seat within its row of the flat buffers."""

    name: str
    """In the form of PEFT's adapter files."""
    module: str
    offset: int
    shape: tuple[int, ...]
    is_lora: bool
    is_b: bool = False
    """B is stored transposed, so that its rank can be cut and padded as A's is."""

    @property
    def numel(self) -> int:
        return torch.Size(self.shape).numel()

    def of(self, buffer: Tensor) -> Tensor:
        """buffer: [seats, size] → [seats, *shape], a view."""
        return buffer[:, self.offset : self.offset + self.numel].view(-1, *self.shape)

    def of_row(self, buffer: Tensor, row: int, rank: int) -> Tensor:
        """One seat's weight in PEFT's shape, without padded ranks; a view."""
        padded = self.of(buffer)[row]
        if not self.is_lora:
            return padded
        return padded[:rank].T if self.is_b else padded[:rank]


class PackedTalker:
    """Puts packed layers into a frozen talker, in place. A row is a seat; the pack decides which."""

    def __init__(self, talker: nn.Module, shape: QwenPackShape, active: ActiveSeats, device: torch.device) -> None:
        """Raises InputError if the targets match no linear module of the talker's layers."""
        self._talker, self._shape, self._active, self._device = talker, shape, active, device
        self._dtype = next(talker.parameters()).dtype
        self._frozen = {
            f"{PEFT_PREFIX}{TEXT_PROJECTION}.{name}": value.detach().clone()
            for name, value in talker.text_projection.named_parameters()
        }
        self._regions = self._pack_linears()
        self._regions += self._pack_projection(self._size(is_lora=True))
        self.talker_width = self._max_width(in_predictor=False)
        """The widest input of a packed layer in the talker itself; 0 without one."""
        self.predictor_width = self._max_width(in_predictor=True)
        """The same for the code predictor, whose rows are frames."""
        self.allocate(1)

    @property
    def row_bytes(self) -> int:
        """Bytes of one seat in all buffers, and of a copy of its weights."""
        buffers = [*self.resident(), self.flat.weights]
        return sum(buffer[0].numel() * buffer.element_size() for buffer in buffers)

    def resident(self) -> list[Tensor]:
        """Returns the buffers, [seats, size] each."""
        flat = [self.flat.weights, self.flat.gradients, *self.flat.moments]
        return flat if self._compute_weights is self.flat.weights else [*flat, self._compute_weights]

    def allocate(self, seats: int) -> None:
        """Creates the buffers for so many seats, all empty."""
        dtype = torch.float64 if self._dtype == torch.float64 else torch.float32
        self.flat = FlatAdamW(seats, self._size(is_lora=True), self._size(is_lora=False), self._device, dtype)
        weights = self.flat.weights
        self._compute_weights = weights if dtype == self._dtype else weights.to(self._dtype)
        for region in self._regions:
            owner, attribute = self._talker.get_submodule(region.module), region.name.rsplit(".", 1)[1]
            if region.is_lora:
                attribute = "b" if region.is_b else "a"
            setattr(owner, attribute, WeightView(region.of(self._compute_weights), region.of(self.flat.gradients)))

    def begin(self, row: int, draw: QwenDraw, seed: int) -> None:
        """Initialises weights as PEFT does: A uniform within ±1/√in_features, B zero, text_projection the base's own.

        The first rows of A are the same at every rank. Raises InputError if the draw does not fit this pack's shape.
        """
        self._check_fit(draw)
        self.flat.begin(row, draw)
        for region in self._regions:
            if not region.is_lora:
                region.of(self.flat.weights)[row].copy_(self._frozen[region.name])
            elif not region.is_b and _is_targeted(region, draw):
                generator = torch.Generator().manual_seed(random.Random(f"{seed}/{region.name}").getrandbits(63))
                width = region.shape[1]
                initial = (torch.rand(draw.rank, width, generator=generator) * 2 - 1) * width**-0.5
                region.of_row(self.flat.weights, row, draw.rank).copy_(initial)
        self.sync()

    def sync(self) -> None:
        """Copies the trained weights to the ones in the base's dtype that the forward pass uses, if they are two."""
        if self._compute_weights is not self.flat.weights:
            self._compute_weights.copy_(self.flat.weights)

    def state(self, row: int, draw: QwenDraw) -> SeatState:
        """See `trainable.family.protocol.Pack.state`."""
        steps = self.flat.progress(row).steps
        moments: dict[str, Tensor] = {}
        for kind, buffer in zip(MOMENTS, self.flat.moments, strict=True):
            for region in self._trained(draw):
                if steps and (region.is_lora or draw.text_projection_lr > 0):
                    moments[f"{region.name}.{kind}"] = _to_cpu(region.of_row(buffer, row, draw.rank))
        return SeatState(self._weights(self.flat.weights, row, draw), moments, steps)

    def copy(self, row: int, draw: QwenDraw) -> Callable[[], SeatState]:
        """See `trainable.family.protocol.Pack.copy`."""
        copied, steps = self.flat.weights[row : row + 1].clone(), self.flat.progress(row).steps
        return lambda: SeatState(self._weights(copied, 0, draw), {}, steps)

    def load(self, row: int, draw: QwenDraw, state: SeatState) -> None:
        """See `trainable.family.protocol.Pack.load`."""
        expected = {region.name for region in self._trained(draw)} | self._frozen.keys()
        if expected != state.weights.keys():
            different = sorted(expected ^ state.weights.keys())
            raise KeyError(f"expected the weights of this draw's adapter, got another set: {different[0]} differs")
        for region in self._trained(draw):
            region.of_row(self.flat.weights, row, draw.rank).copy_(state.weights[region.name])
            for kind, buffer in zip(MOMENTS, self.flat.moments, strict=True):
                moment = state.moments.get(f"{region.name}.{kind}")
                view = region.of_row(buffer, row, draw.rank)
                view.zero_() if moment is None else view.copy_(moment)
        self.flat.progress(row).steps = state.step
        self.sync()

    def _weights(self, buffer: Tensor, row: int, draw: QwenDraw) -> dict[str, Tensor]:
        """Copies one seat's weights to the CPU, with text_projection's even if it is not trained."""
        frozen = {} if self._shape.text_projection else self._frozen
        weights = {name: _to_cpu(value.to(buffer.dtype)) for name, value in frozen.items()}
        return weights | {region.name: _to_cpu(region.of_row(buffer, row, draw.rank)) for region in self._trained(draw)}

    def _pack_linears(self) -> list[_WeightRegion]:
        """Replaces the targeted linears."""
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
        regions: list[_WeightRegion] = []
        offset, rank = 0, self._shape.rank
        for name, module in chosen.items():
            parent, _, child = name.rpartition(".")
            setattr(self._talker.get_submodule(parent), child, PackedLinear(module, name, self._active))
            for letter, width in (("A", module.in_features), ("B", module.out_features)):
                full = f"{PEFT_PREFIX}{name}.lora_{letter}.weight"
                regions.append(_WeightRegion(full, name, offset, (rank, width), True, letter == "B"))
                offset += rank * width
        return regions

    def _pack_projection(self, offset: int) -> list[_WeightRegion]:
        """Replaces the layers of text_projection, if the shape trains it. `offset` is where its weights begin."""
        if not self._shape.text_projection:
            return []
        regions: list[_WeightRegion] = []
        projection = self._talker.text_projection
        for layer in PROJECTIONS:
            base = getattr(projection, layer)
            setattr(projection, layer, SeatLinear(self._active))
            for part in ("weight", "bias"):
                shape = tuple(getattr(base, part).shape)
                name = f"{TEXT_PROJECTION}.{layer}"
                regions.append(_WeightRegion(f"{PEFT_PREFIX}{name}.{part}", name, offset, shape, False))
                offset += regions[-1].numel
        return regions

    def _size(self, is_lora: bool) -> int:
        """Parameters of one seat, in LoRA or in text_projection."""
        return sum(region.numel for region in self._regions if region.is_lora == is_lora)

    def _max_width(self, in_predictor: bool) -> int:
        """A's shape is [rank, in_features]."""
        lora = [region for region in self._regions if region.is_lora and not region.is_b]
        widths = [region.shape[1] for region in lora if region.module.startswith(CODE_PREDICTOR) == in_predictor]
        return max(widths, default=0)

    def _trained(self, draw: QwenDraw) -> list[_WeightRegion]:
        return [region for region in self._regions if not region.is_lora or _is_targeted(region, draw)]

    def _check_fit(self, draw: QwenDraw) -> None:
        if draw.rank > self._shape.rank:
            raise InputError(f"rank {draw.rank}: expected at most {self._shape.rank}, the largest rank of this pack")
        if draw.text_projection_lr > 0 and not self._shape.text_projection:
            raise InputError("text_projection_lr: expected 0 in a pack without text_projection")
        if not any(region.is_lora and _is_targeted(region, draw) for region in self._regions):
            raise InputError(f"targets: {draw.targets!r} matches none of the modules that this pack trains")


def _is_targeted(region: _WeightRegion, draw: QwenDraw) -> bool:
    return re.fullmatch(draw.target_pattern, region.module) is not None


def _to_cpu(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True).contiguous()
