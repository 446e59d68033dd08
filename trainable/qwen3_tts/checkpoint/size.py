"""Sizes and costs of a checkpoint, from its `config.json` or, for the two on the hub, from a table. No torch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaces.qwen3_tts import QwenPackShape
from trainable.family.model_size import ModelSize

CODEBOOKS = 16
FLOPS_PER_WEIGHT = 4.2
"""FLOPs per weight and position of one training pass: 2 forward, 2 backward (frozen weights need no gradient of their
own), and 0.2 for attention and LoRA. Counted on the 1.7B shape: 3.07 TFLOP at 300 positions, 240 of them frames."""
CODEC_BYTES = 0.7e9
"""Size of `speech_tokenizer/` in the published checkpoints, float32."""


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
        """(in_features, out_features) of each linear of one layer, by its name within the layer."""
        query_width, key_width = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "self_attn.q_proj": (self.hidden, query_width),
            "self_attn.k_proj": (self.hidden, key_width),
            "self_attn.v_proj": (self.hidden, key_width),
            "self_attn.o_proj": (query_width, self.hidden),
            "mlp.gate_proj": (self.hidden, self.intermediate),
            "mlp.up_proj": (self.hidden, self.intermediate),
            "mlp.down_proj": (self.intermediate, self.hidden),
        }

    @property
    def weights(self) -> int:
        return self.layers * sum(inputs * outputs for inputs, outputs in self.linears.values())

    def modules(self, prefix: str) -> Iterator[tuple[str, int, int]]:
        """Yields (name, in_features, out_features) of every linear."""
        for layer in range(self.layers):
            for name, (inputs, outputs) in self.linears.items():
                yield f"{prefix}model.layers.{layer}.{name}", inputs, outputs


@dataclass(frozen=True)
class _Published:
    """A checkpoint on the hub; its parameters were counted on a model of its shape."""

    talker: _Transformer
    parameters: float
    projection: float


_PREDICTOR = _Transformer(5, 1024, 16, 8, 128, 3072)
_PUBLISHED = {
    "Qwen/Qwen3-TTS-12Hz-1.7B-Base": _Published(_Transformer(28, 2048, 16, 8, 128, 6144), 1928.7e6, 8.39e6),
    "Qwen/Qwen3-TTS-12Hz-0.6B-Base": _Published(_Transformer(28, 1024, 16, 8, 128, 3072), 914.6e6, 6.29e6),
}


def size_of(model: str, shape: QwenPackShape) -> ModelSize | None:
    """Returns None for a model that is neither a folder with a valid `config.json` nor in the table."""
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


def _of_folder(folder: Path, shape: QwenPackShape) -> ModelSize | None:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))["talker_config"]
        talker, predictor = _Transformer.of(config), _Transformer.of(config["code_predictor_config"])
        text, hidden = config["text_hidden_size"], config["hidden_size"]
        embeddings = config["text_vocab_size"] * text + config["vocab_size"] * hidden
    except (OSError, ValueError, KeyError, TypeError):
        return None
    model_bytes = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    codec_bytes = sum(path.stat().st_size for path in (folder / "speech_tokenizer").glob("*.safetensors"))
    return _size(
        talker,
        predictor,
        shape,
        # Two layers with bias: text to text, text to the talker's hidden size.
        projection=text * text + text * hidden + text + hidden,
        parameters=talker.weights + predictor.weights + embeddings,
        file_bytes=model_bytes + codec_bytes,
        codec_bytes=codec_bytes,
        is_downloaded=True,
    )


def _size(
    talker: _Transformer, predictor: _Transformer, shape: QwenPackShape, projection: float, **stored: Any
) -> ModelSize:
    lora = sum(
        shape.rank * (inputs + outputs)
        for name, inputs, outputs in (*talker.modules(""), *predictor.modules("code_predictor."))
        if any(re.fullmatch(pattern, name) for pattern in shape.targets)
    )
    return ModelSize(
        seat_parameters=lora + (projection if shape.text_projection else 0),
        checkpoint_parameters=lora + projection,
        layers=talker.layers + predictor.layers,
        frame_layers=talker.layers + (CODEBOOKS - 1) * predictor.layers,
        position_flops=FLOPS_PER_WEIGHT * talker.weights,
        frame_flops=FLOPS_PER_WEIGHT * CODEBOOKS * predictor.weights,
        position_activations=talker.layers * talker.hidden,
        frame_activations=CODEBOOKS * predictor.layers * predictor.hidden,
        **stored,
    )
