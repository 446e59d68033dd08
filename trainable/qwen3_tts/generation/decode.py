"""From prompts to codes: the talker frame by frame, and within each frame the code predictor code by code.

Every linear module is called with all rows in their order, ended ones too, and the same number of positions per row:
the rows of a pack's seats lie one after the other, and its modules tell them apart by that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from spaces.probe_settings import Sampling
from trainable.qwen3_tts.data.prepared import CODEBOOKS
from trainable.qwen3_tts.generation.sampling import FirstCodeRules, choose


@dataclass(frozen=True)
class Prompts:
    """Right-padded prompts as the talker's input. A row's padding is never attended to."""

    embeddings: Tensor
    """[rows, positions, hidden]."""
    end_at: Tensor
    """[rows] int64: the position of each row's last embedding, which predicts frame 0."""
    pad: Tensor
    """[rows, 1, hidden]: the text embedding of `tts_pad`, added to every frame."""


@dataclass(frozen=True)
class DecodedRow:
    """One row as it was decoded."""

    codes: Tensor
    """[frames, 16] int64, without EOS."""
    eos: bool
    """Whether EOS followed them; else the row was cut at its cap."""


def decode(
    talker, prompts: Prompts, uniform: Tensor, frame_caps: Sequence[int], sampling: Sampling
) -> list[DecodedRow]:
    """Chooses every row's codes, sampled or greedily, until its EOS or its cap.

    `talker` is a `Qwen3TTSTalkerForConditionalGeneration`, with adapters in place or without.
    uniform: [rows, largest cap + 1, 16] float64 in [0, 1), one number for each code.
    """
    rows, width, size = prompts.embeddings.shape
    device, eos = prompts.embeddings.device, talker.config.codec_eos_token_id
    caps, columns = torch.tensor(frame_caps, device=device), torch.arange(width + max(frame_caps), device=device)
    padding = (columns > prompts.end_at[:, None]) & (columns < width)
    mask = torch.zeros_like(padding, dtype=prompts.embeddings.dtype).masked_fill(padding, -torch.inf)[:, None, None]
    # The library has three axes of positions, which are equal in speech: the first stands for all.
    cosine, sine = talker.model.rotary_emb(prompts.embeddings, columns.expand(3, 1, -1))
    rotary = RotaryTable(cosine[0, 0], sine[0, 0])

    stack = CachedStack(talker.model, len(columns))
    predict = CodePredictor(talker.code_predictor, prompts.embeddings, sampling)
    rules = FirstCodeRules(talker.config, rows, sampling.repetition_penalty, device)
    hidden = stack(prompts.embeddings, rotary.at(columns[:width]))
    hidden = hidden.gather(1, prompts.end_at[:, None, None].expand(-1, 1, size))
    lengths, frames = caps + 1, []
    while True:
        frame = len(frames)
        scores = rules.apply(talker.codec_head(hidden)[:, 0], frame)
        first = choose(scores, uniform[:, frame, 0], sampling.temperature, sampling.top_k, sampling.greedy)
        rules.remember(first)
        lengths = torch.where(first == eos, lengths.clamp(max=frame), lengths)
        if bool((torch.minimum(lengths, caps) <= frame).all()):
            break
        first_embedding = talker.get_input_embeddings()(first[:, None])
        later, later_embeddings = predict(hidden, first_embedding, uniform[:, frame, 1:])
        frames.append(torch.cat([first[:, None], later], dim=1))
        spoken = torch.cat([first_embedding, later_embeddings], dim=1).sum(dim=1, keepdim=True)
        positions = (prompts.end_at + 1 + frame)[:, None, None]
        hidden = stack(spoken + prompts.pad, rotary.at(positions), mask[..., : width + frame + 1])

    codes = torch.stack(frames, dim=1)
    return [
        DecodedRow(row[: min(length, cap)], eos=length <= cap)
        for row, length, cap in zip(codes, lengths.tolist(), frame_caps, strict=True)
    ]


class CodePredictor:
    """Chooses codebooks 1–15 of one frame after another."""

    def __init__(self, predictor, like: Tensor, sampling: Sampling) -> None:
        """predictor: `Qwen3TTSTalkerCodePredictorModelForConditionalGeneration`; like: its inputs' dtype and device."""
        positions = torch.arange(CODEBOOKS, device=like.device)
        cosine, sine = predictor.model.rotary_emb(like, positions[None])
        rotary = RotaryTable(cosine[0], sine[0])
        self._turns = [rotary.at(step) for step in (positions[:2], *positions[2:].split(1))]
        self._predictor, self._sampling = predictor, sampling
        self._stack = CachedStack(predictor.model, CODEBOOKS)

    def __call__(self, hidden: Tensor, first: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """hidden: [rows, 1, hidden], the talker's state before the frame; first: [rows, 1, hidden], the embedding of
        its code 0; uniform: [rows, 15] → codes [rows, 15] int64 and their embeddings [rows, 15, hidden].
        """
        sampling, codes, embeddings = self._sampling, [], []
        self._stack.restart()
        inputs = torch.cat([hidden, first], dim=1)
        for book, (head, embedding, turn) in enumerate(
            zip(self._predictor.lm_head, self._predictor.get_input_embeddings(), self._turns, strict=True)
        ):
            states = self._stack(self._predictor.small_to_mtp_projection(inputs), turn)
            code = choose(
                head(states[:, -1:])[:, 0],
                uniform[:, book],
                sampling.subtalker_temperature,
                sampling.subtalker_top_k,
                sampling.greedy,
            )
            codes.append(code[:, None])
            inputs = embedding(codes[-1])
            embeddings.append(inputs)
        return torch.cat(codes, dim=1), torch.cat(embeddings, dim=1)


class RotaryTable:
    """Rotary position embedding; cosine, sine: [positions, head_dim], both halves of head_dim alike."""

    def __init__(self, cosine: Tensor, sine: Tensor) -> None:
        lower, upper = sine.chunk(2, dim=-1)
        self._cosine, self._sine = cosine, torch.cat([-lower, upper], dim=-1)

    def at(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """positions: [n] for all rows, or [rows, 1, n] → cosine and signed sine [..., n, head_dim]."""
        return self._cosine[positions], self._sine[positions]


class CachedStack:
    """Decoder layers of the talker or of the code predictor, with the keys and values of the positions so far.

    The layers' own linear modules do the work. Attention is written out, because the library's form interleaves three
    equal axes of rotary positions, repeats keys and values for each query head, and grows its cache by copying it.
    """

    def __init__(self, model, capacity: int) -> None:
        """model: `Qwen3TTSTalkerModel` or `Qwen3TTSTalkerCodePredictorModel`; capacity: the most positions to hold."""
        self._layers, self._norm, self._capacity = model.layers, model.norm, capacity
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        self._length = 0

    def restart(self) -> None:
        self._length = 0

    def __call__(self, inputs: Tensor, rotary: tuple[Tensor, Tensor], mask: Tensor | None = None) -> Tensor:
        """The next positions: [rows, n, hidden] → final hidden states of that shape.

        From the start any n, each position seeing those before it; later n = 1, and `mask` [rows, 1, 1, positions so
        far] is added to the attention scores.
        """
        if self._length and inputs.shape[1] != 1:
            raise ValueError(f"expected one position after the first {self._length}, got {inputs.shape[1]}")
        hidden = inputs
        for index, layer in enumerate(self._layers):
            states = _normalise(layer.input_layernorm, hidden)
            hidden = hidden + self._attend(index, layer.self_attn, states, rotary, mask)
            hidden = hidden + layer.mlp(_normalise(layer.post_attention_layernorm, hidden))
        self._length += inputs.shape[1]
        return _normalise(self._norm, hidden)

    def _attend(self, index: int, attention, inputs: Tensor, rotary: tuple[Tensor, Tensor], mask: Tensor | None):
        rows, n, _ = inputs.shape
        heads = (rows, n, -1, attention.head_dim)
        query = _rotate(_normalise(attention.q_norm, attention.q_proj(inputs).view(heads)).transpose(1, 2), *rotary)
        key = _rotate(_normalise(attention.k_norm, attention.k_proj(inputs).view(heads)).transpose(1, 2), *rotary)
        value = attention.v_proj(inputs).view(heads).transpose(1, 2)
        keys, values = self._extend(index, key, value)
        if n > 1:
            mixed = F.scaled_dot_product_attention(query, keys, values, is_causal=True, enable_gqa=True)
        else:
            # The query heads that share a key head stand as its queries, so keys and values need no repeating.
            grouped = query.reshape(rows, keys.shape[1], -1, attention.head_dim)
            mixed = F.scaled_dot_product_attention(grouped, keys, values, attn_mask=mask).reshape(query.shape)
        return attention.o_proj(mixed.transpose(1, 2).reshape(rows, n, -1))

    def _extend(self, index: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        if index == len(self._keys):
            shape = (*key.shape[:2], self._capacity, key.shape[3])
            self._keys.append(key.new_empty(shape))
            self._values.append(value.new_empty(shape))
        end = self._length + key.shape[2]
        keys, values = self._keys[index], self._values[index]
        keys[:, :, self._length : end] = key
        values[:, :, self._length : end] = value
        return keys[:, :, :end], values[:, :, :end]


def _rotate(states: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    return torch.addcmul(states * cosine, states.roll(states.shape[-1] // 2, dims=-1), sine)


def _normalise(norm, states: Tensor) -> Tensor:
    """norm: `Qwen3TTSRMSNorm`, whose own form takes eight kernels in bfloat16, half of all there are in a frame."""
    return F.rms_norm(states, norm.weight.shape, norm.weight, norm.variance_epsilon)
