"""Lists the tensors of a checkpoint from the headers of its files; no weight is read and no model is built."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from spaces.errors import InputError
from trainable.qwen3_tts.checkpoint.check import TALKER_PREFIX, check_model

TEXT_PROJECTION_PREFIX = f"{TALKER_PREFIX}text_projection."
LAYER_NUMBER = re.compile(r"\.\d+\.")
DTYPE_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a checkpoint."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """In the notation of safetensors: BF16, F32 …"""

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.numel * DTYPE_BYTES.get(self.dtype, 4)

    @property
    def pattern(self) -> str:
        """The name with N for every layer number, so that the same weight of all layers has one pattern."""
        name = self.name
        while LAYER_NUMBER.search(name):
            name = LAYER_NUMBER.sub(".N.", name)
        return name


@dataclass(frozen=True)
class TargetSummary:
    """The modules that one choice of LoRA targets trains."""

    modules: tuple[str, ...]
    """Names within the talker."""
    parameters_per_rank: int
    """LoRA parameters at rank 1: the sum of in_features + out_features over the modules."""

    def parameters(self, rank: int) -> int:
        return rank * self.parameters_per_rank


def inventory(model: str) -> list[StoredTensor]:
    """Lists every tensor of the checkpoint and of its codec (`speech_tokenizer.…`), sorted by name.

    Raises InputError as `check_model` does, and for a file that cannot be read.
    """
    folder = Path(check_model(model))
    found = []
    for prefix, part in (("", folder), ("speech_tokenizer.", folder / "speech_tokenizer")):
        for path in sorted(part.glob("*.safetensors")):
            try:
                with safe_open(path, framework="np") as file:
                    for name in file.keys():  # noqa: SIM118 - the file is not a dictionary
                        header = file.get_slice(name)
                        found.append(StoredTensor(prefix + name, tuple(header.get_shape()), header.get_dtype()))
            except (SafetensorError, OSError) as error:
                raise InputError(f"{path}: not readable as safetensors ({error}); download it again") from None
    return sorted(found, key=lambda tensor: tensor.name)


def match_targets(tensors: Sequence[StoredTensor], pattern: str) -> TargetSummary:
    """Finds the talker's linear modules whose whole name matches.

    Raises InputError if none does, and if `pattern` is not a regular expression.
    """
    try:
        matches = re.compile(pattern).fullmatch
    except re.error as error:
        raise InputError(f"targets {pattern!r}: expected a regular expression ({error})") from None
    linear = {
        tensor.name.removeprefix(TALKER_PREFIX).removesuffix(".weight"): tensor
        for tensor in tensors
        if tensor.name.startswith(TALKER_PREFIX) and tensor.name.endswith("_proj.weight") and len(tensor.shape) == 2
    }
    modules = tuple(name for name in linear if matches(name))
    if not modules:
        raise InputError(
            f"targets {pattern!r}: match none of the talker's {len(linear)} projections, such as {next(iter(linear))}"
        )
    return TargetSummary(modules, sum(sum(linear[name].shape) for name in modules))


def text_projection_parameters(tensors: Sequence[StoredTensor]) -> int:
    """Counts the parameters of text_projection, which every adapter holds, trained or not."""
    return sum(tensor.numel for tensor in tensors if tensor.name.startswith(TEXT_PROJECTION_PREFIX))
