"""Builds tiny x-vector checkpoints of the real classes with random weights, in the published layout."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    PretrainedConfig,
    PreTrainedModel,
    UniSpeechSatConfig,
    UniSpeechSatForXVector,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForXVector,
    WavLMConfig,
    WavLMForXVector,
)

KINDS: dict[str, tuple[type[PretrainedConfig], type[PreTrainedModel]]] = {
    "wavlm": (WavLMConfig, WavLMForXVector),
    "unispeech-sat": (UniSpeechSatConfig, UniSpeechSatForXVector),
    "wav2vec2": (Wav2Vec2Config, Wav2Vec2ForXVector),
}


def make_tiny_xvector(folder: Path, kind: str = "wavlm", seed: int = 0, safe: bool = True) -> Path:
    """`safe`: writes safetensors, the newer format; otherwise pytorch_model.bin, as in the published checkpoints."""
    torch.manual_seed(seed)
    config_class, model_class = KINDS[kind]
    config = config_class(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(32,) * 7,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=4,
        tdnn_dim=(32, 32, 32, 32, 48),
        xvector_output_dim=24,
        use_weighted_layer_sum=True,
        num_labels=3,
    )
    model = model_class(config).eval()
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
    if not safe:
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder
