"""The parts of a loaded Qwen3-TTS that this project calls, as Protocols.

qwen-tts leaves them untyped. A `Talker` is a `Qwen3TTSTalkerForConditionalGeneration`, with adapters in place or not.
Modules are called with and return tensors; shapes are given with `h` for a transformer's hidden size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class TalkerConfig(Protocol):
    """`Qwen3TTSTalkerConfig`: sizes and special ids of codebook 0."""

    hidden_size: int
    vocab_size: int
    codec_pad_id: int
    codec_bos_id: int
    codec_eos_token_id: int
    codec_think_id: int
    codec_nothink_id: int
    codec_think_bos_id: int
    codec_think_eos_id: int
    codec_language_id: Mapping[str, int]
    spk_id: Mapping[str, int]


class ModelConfig(Protocol):
    """`Qwen3TTSConfig`: the talker's configuration and special ids of the text vocabulary."""

    talker_config: TalkerConfig
    tts_pad_token_id: int
    tts_bos_token_id: int
    tts_eos_token_id: int


class Attention(Protocol):
    """Self-attention of one layer; the projections map [rows, n, h] to [rows, n, heads × head_dim] and back."""

    head_dim: int
    q_proj: nn.Module
    k_proj: nn.Module
    v_proj: nn.Module
    o_proj: nn.Module
    q_norm: RmsNorm
    k_norm: RmsNorm


class RmsNorm(Protocol):
    """`Qwen3TTSRMSNorm`."""

    weight: Tensor
    variance_epsilon: float


class DecoderLayer(Protocol):
    """One layer of either transformer; `mlp` maps [rows, n, h] to the same shape."""

    self_attn: Attention
    mlp: nn.Module
    input_layernorm: RmsNorm
    post_attention_layernorm: RmsNorm


class Transformer(Protocol):
    """The inner model of a talker or of a code predictor."""

    layers: Sequence[DecoderLayer]
    norm: RmsNorm
    rotary_emb: nn.Module
    """(tensor of the wanted dtype and device, position ids) → cosine and sine."""

    def __call__(self, *, inputs_embeds: Tensor, use_cache: bool) -> Any:
        """inputs_embeds: [rows, n, h] → an object whose `last_hidden_state` is [rows, n, h]."""
        ...


class CodePredictor(Protocol):
    """`Qwen3TTSTalkerCodePredictorModelForConditionalGeneration`: codebooks 1–15 of one frame, one after another."""

    model: Transformer
    lm_head: Sequence[nn.Module]
    """15 heads, [..., h] → [..., codebook size]."""
    small_to_mtp_projection: nn.Module
    """[..., talker's h] → [..., h]."""

    def get_input_embeddings(self) -> Sequence[nn.Module]:
        """15 embeddings of codebooks 1–15, ids int64 → [..., talker's h]."""
        ...

    def forward_finetune(self, *, inputs_embeds: Tensor, use_cache: bool) -> Any:
        """inputs_embeds: [frames, 16, talker's h] → an object whose `logits` are [frames, 15, codebook size]."""
        ...


class Talker(Protocol):
    """The transformer over text and codebook 0, with its code predictor."""

    config: TalkerConfig
    model: Transformer
    codec_head: nn.Module
    """[..., h] → logits of codebook 0 and its special ids, [..., vocabulary]."""
    text_projection: nn.Module
    """[..., text h] → [..., h]."""
    code_predictor: CodePredictor
    training: bool

    def get_input_embeddings(self) -> nn.Module:
        """The embedding of codebook 0, ids int64 → [..., h]."""
        ...

    def get_text_embeddings(self) -> nn.Module:
        """ids int64 → [..., text h], before `text_projection`."""
        ...


class Model(Protocol):
    """`Qwen3TTSForConditionalGeneration`, the model inside a `Qwen3TTSModel`."""

    talker: Talker
    config: ModelConfig

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype: ...
