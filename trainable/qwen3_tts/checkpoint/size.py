"""How large a Qwen3-TTS checkpoint is, from its `config.json` or, for the two of the hub, from a table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaces.records.pack_shape import PackShape
from trainable.family.model_size import ModelSize

CODEBOOKS = 16
PASSES = 4.2
"""FLOPs per weight and position, forward and backward: 2 and 2, since the base's own weights take no gradient, and what
attention and LoRA add. Counted on the 1.7B model's shape: 3.07 TFLOP at 300 positions of which 240 are frames."""
CODEC_BYTES = 0.7e9
"""`speech_tokenizer/` of the published checkpoints, float32."""


@dataclass(frozen=True)
class _Transformer:
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> _Transformer:
        return cls(
            config["num_hidden_layers"],
            config["hidden_size"],
            config["num_attention_heads"],
            config["num_key_value_heads"],
            config["head_dim"],
            config["intermediate_size"],
        )

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """(in, out) of one layer's, by their names in it."""
        attended, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "self_attn.q_proj": (self.hidden, attended),
            "self_attn.k_proj": (self.hidden, keys),
            "self_attn.v_proj": (self.hidden, keys),
            "self_attn.o_proj": (attended, self.hidden),
            "mlp.gate_proj": (self.hidden, self.intermediate),
            "mlp.up_proj": (self.hidden, self.intermediate),
            "mlp.down_proj": (self.intermediate, self.hidden),
        }

    @property
    def weights(self) -> int:
        return self.layers * sum(wide * out for wide, out in self.linears.values())

    def modules(self, prefix: str) -> Iterator[tuple[str, int, int]]:
        """Every linear's name, in and out."""
        for layer in range(self.layers):
            for name, (wide, out) in self.linears.items():
                yield f"{prefix}model.layers.{layer}.{name}", wide, out


@dataclass(frozen=True)
class _Published:
    """A checkpoint of the hub: parameters counted on its shape."""

    talker: _Transformer
    parameters: float
    projection: float


_PREDICTOR = _Transformer(5, 1024, 16, 8, 128, 3072)
_PUBLISHED = {
    "Qwen/Qwen3-TTS-12Hz-1.7B-Base": _Published(_Transformer(28, 2048, 16, 8, 128, 6144), 1928.7e6, 8.39e6),
    "Qwen/Qwen3-TTS-12Hz-0.6B-Base": _Published(_Transformer(28, 1024, 16, 8, 128, 3072), 914.6e6, 6.29e6),
}


def size_of(model: str, shape: PackShape) -> ModelSize | None:
    """None for a model that is neither in a folder with a `config.json` nor in the table."""
    folder = Path(model)
    if folder.is_dir():
        return _of_folder(folder, shape)
    published = _PUBLISHED.get(model)
    if published is None:
        return None
    file_bytes = 2 * published.parameters + CODEC_BYTES
    return _size(
        published.talker,
        _PREDICTOR,
        shape,
        published.projection,
        parameters=published.parameters,
        file_bytes=file_bytes,
        codec_bytes=CODEC_BYTES,
        is_downloaded=False,
    )


def _of_folder(folder: Path, shape: PackShape) -> ModelSize | None:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))["talker_config"]
        talker, predictor = _Transformer.of(config), _Transformer.of(config["code_predictor_config"])
        text, width = config["text_hidden_size"], config["hidden_size"]
        embedded = config["text_vocab_size"] * text + config["vocab_size"] * width
    except (OSError, ValueError, KeyError, TypeError):
        return None
    model_bytes = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    codec_bytes = sum(path.stat().st_size for path in (folder / "speech_tokenizer").glob("*.safetensors"))
    return _size(
        talker,
        predictor,
        shape,
        # Two layers: text to text, and text to the talker's width.
        projection=text * text + text * width + text + width,
        parameters=max(talker.weights + predictor.weights + embedded, 0),
        file_bytes=model_bytes + codec_bytes,
        codec_bytes=codec_bytes,
        is_downloaded=True,
    )


def _size(talker: _Transformer, predictor: _Transformer, shape: PackShape, projection: float, **own: Any) -> ModelSize:
    lora = sum(
        shape.rank * (wide + out)
        for name, wide, out in (*talker.modules(""), *predictor.modules("code_predictor."))
        if any(re.fullmatch(pattern, name) for pattern in shape.targets)
    )
    return ModelSize(
        seat_parameters=lora + (projection if shape.text_projection else 0),
        checkpoint_parameters=lora + projection,
        layers=talker.layers + predictor.layers,
        frame_layers=talker.layers + (CODEBOOKS - 1) * predictor.layers,
        position_flops=PASSES * talker.weights,
        frame_flops=PASSES * CODEBOOKS * predictor.weights,
        position_activations=talker.layers * talker.hidden,
        frame_activations=CODEBOOKS * predictor.layers * predictor.hidden,
        **own,
    )
