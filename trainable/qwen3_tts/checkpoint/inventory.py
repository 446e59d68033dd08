"""What a checkpoint holds, from the headers of its files alone: no weight is read, nothing is built."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from spaces.errors import InputError
from trainable.qwen3_tts.checkpoint.check import TALKER, check_model

TEXT_PROJECTION = f"{TALKER}text_projection."
LAYER = re.compile(r"\.\d+\.")
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


@dataclass(frozen=True)
class Weight:
    """One tensor of a checkpoint."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """As safetensors writes it: BF16, F32 …"""

    @property
    def numbers(self) -> int:
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.numbers * BYTES.get(self.dtype, 4)

    @property
    def kind(self) -> str:
        """Its name with every number of a layer as N, so that equal parts of equal layers are one kind."""
        name = self.name
        while LAYER.search(name):
            name = LAYER.sub(".N.", name)
        return name


@dataclass(frozen=True)
class TargetSummary:
    """What one choice of LoRA targets trains."""

    modules: tuple[str, ...]
    """Names within the talker."""
    numbers_per_rank: int
    """Trained numbers of the LoRA at rank 1: the sum of in and out over the modules."""

    def numbers(self, rank: int) -> int:
        return rank * self.numbers_per_rank


def inventory(model: str) -> list[Weight]:
    """Every tensor of the checkpoint and of its codec (`speech_tokenizer.…`), by name.

    Raises InputError as `check_model` does, and for a file that cannot be read.
    """
    folder = Path(check_model(model))
    found = []
    for prefix, part in (("", folder), ("speech_tokenizer.", folder / "speech_tokenizer")):
        for path in sorted(part.glob("*.safetensors")):
            try:
                with safe_open(path, framework="np") as file:
                    for name in file.keys():  # noqa: SIM118 - the file is no dictionary
                        held = file.get_slice(name)
                        found.append(Weight(prefix + name, tuple(held.get_shape()), held.get_dtype()))
            except (SafetensorError, OSError) as error:
                raise InputError(f"{path}: not readable as safetensors ({error}); download it again") from None
    return sorted(found, key=lambda weight: weight.name)


def reach(weights: Sequence[Weight], pattern: str) -> TargetSummary:
    """The talker's linear modules that match. Raises InputError where there is none, and for no regular expression."""
    try:
        matches = re.compile(pattern).fullmatch
    except re.error as error:
        raise InputError(f"targets {pattern!r}: expected a regular expression ({error})") from None
    linear = {
        weight.name.removeprefix(TALKER).removesuffix(".weight"): weight
        for weight in weights
        if weight.name.startswith(TALKER) and weight.name.endswith("_proj.weight") and len(weight.shape) == 2
    }
    modules = tuple(name for name in linear if matches(name))
    if not modules:
        raise InputError(
            f"targets {pattern!r}: match none of the talker's {len(linear)} projections, such as {next(iter(linear))}"
        )
    return TargetSummary(modules, sum(sum(linear[name].shape) for name in modules))


def text_projection_numbers(weights: Sequence[Weight]) -> int:
    """Trained beside the LoRA unless its learning rate is 0, and kept in every adapter."""
    return sum(weight.numbers for weight in weights if weight.name.startswith(TEXT_PROJECTION))
