"""Decodes prompts to codes: the talker frame by frame, and within each frame the code predictor code by code.

Every linear module is called with all rows in their order, finished rows included, and with the same number of
positions per row: the rows of a pack's seats lie one after the other, and its modules tell seats apart by that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from spaces.probe_settings import Sampling
from trainable.qwen3_tts.checkpoint.size import CODEBOOKS
from trainable.qwen3_tts.generation.sampling import FirstCodeProcessor, select_codes
from trainable.qwen3_tts.model.handles import Attention, CodePredictor, RmsNorm, Talker, Transformer


@dataclass(frozen=True)
class PromptEmbeddings:
    """Right-padded prompts as the talker's input. Padding is never attended to."""

    embeddings: Tensor
    """[rows, positions, hidden]."""
    end_position: Tensor
    """[rows] int64: the position of each row's last embedding, which predicts frame 0."""
    pad: Tensor
    """[rows, 1, hidden]: the text embedding of `tts_pad`, added to every frame."""


@dataclass(frozen=True)
class DecodedRow:
    """The codes of one prompt."""

    codes: Tensor
    """[frames, 16] int64, without EOS."""
    eos: bool
    """Whether EOS followed them. If not, the row was cut at its cap."""


def decode(
    talker: Talker, prompts: PromptEmbeddings, uniform: Tensor, frame_caps: Sequence[int], sampling: Sampling
) -> list[DecodedRow]:
    """Selects every row's codes, by sampling or greedily, until its EOS or its cap.

    uniform: [rows, largest cap + 1, 16] float64 in [0, 1), one number per code; see `uniform_numbers`.
    """
    rows, width, size = prompts.embeddings.shape
    device, eos = prompts.embeddings.device, talker.config.codec_eos_token_id
    caps, columns = torch.tensor(frame_caps, device=device), torch.arange(width + max(frame_caps), device=device)
    padding = (columns > prompts.end_position[:, None]) & (columns < width)
    mask = torch.zeros_like(padding, dtype=prompts.embeddings.dtype).masked_fill(padding, -torch.inf)[:, None, None]
    # The library has three axes of positions. They are equal for speech, so the first one is enough.
    cosine, sine = talker.model.rotary_emb(prompts.embeddings, columns.expand(3, 1, -1))
    rotary = RotaryTable(cosine[0, 0], sine[0, 0])

    transformer = CachedTransformer(talker.model, len(columns))
    predict = SubTalkerDecoder(talker.code_predictor, prompts.embeddings, sampling)
    processor = FirstCodeProcessor(talker.config, rows, sampling.repetition_penalty, device)
    hidden = transformer(prompts.embeddings, rotary.at(columns[:width]))
    hidden = hidden.gather(1, prompts.end_position[:, None, None].expand(-1, 1, size))
    lengths = caps + 1
    frames: list[Tensor] = []
    while True:
        frame = len(frames)
        scores = processor.apply(talker.codec_head(hidden)[:, 0], frame)
        first = select_codes(scores, uniform[:, frame, 0], sampling.temperature, sampling.top_k, sampling.greedy)
        processor.update(first)
        lengths = torch.where(first == eos, lengths.clamp(max=frame), lengths)
        if bool((torch.minimum(lengths, caps) <= frame).all()):
            break
        first_embedding = talker.get_input_embeddings()(first[:, None])
        later, later_embeddings = predict(hidden, first_embedding, uniform[:, frame, 1:])
        frames.append(torch.cat([first[:, None], later], dim=1))
        summed = torch.cat([first_embedding, later_embeddings], dim=1).sum(dim=1, keepdim=True)
        positions = (prompts.end_position + 1 + frame)[:, None, None]
        hidden = transformer(summed + prompts.pad, rotary.at(positions), mask[..., : width + frame + 1])

    codes = torch.stack(frames, dim=1)
    return [
        DecodedRow(row[: min(length, cap)], eos=length <= cap)
        for row, length, cap in zip(codes, lengths.tolist(), frame_caps, strict=True)
    ]


class SubTalkerDecoder:
    """Selects codebooks 1–15 of one frame at a time with the code predictor."""

    def __init__(self, predictor: CodePredictor, like: Tensor, sampling: Sampling) -> None:
        """like: a tensor with the dtype and device of the inputs."""
        positions = torch.arange(CODEBOOKS, device=like.device)
        cosine, sine = predictor.model.rotary_emb(like, positions[None])
        rotary = RotaryTable(cosine[0], sine[0])
        self._rotary = [rotary.at(step) for step in (positions[:2], *positions[2:].split(1))]
        self._predictor, self._sampling = predictor, sampling
        self._transformer = CachedTransformer(predictor.model, CODEBOOKS)

    def __call__(self, hidden: Tensor, first: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """hidden: [rows, 1, hidden], the talker's state before the frame; first: [rows, 1, hidden], the embedding of
        its code 0; uniform: [rows, 15] float64 → codes [rows, 15] int64 and their embeddings [rows, 15, hidden].
        """
        sampling, codes, embeddings = self._sampling, [], []
        self._transformer.reset()
        inputs = torch.cat([hidden, first], dim=1)
        for book, (head, embedding, rotary) in enumerate(
            zip(self._predictor.lm_head, self._predictor.get_input_embeddings(), self._rotary, strict=True)
        ):
            states = self._transformer(self._predictor.small_to_mtp_projection(inputs), rotary)
            code = select_codes(
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
    """Rotary position embedding. cosine, sine: [positions, head_dim], both halves of head_dim equal."""

    def __init__(self, cosine: Tensor, sine: Tensor) -> None:
        lower, upper = sine.chunk(2, dim=-1)
        self._cosine, self._sine = cosine, torch.cat([-lower, upper], dim=-1)

    def at(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """positions: [n] int64 for all rows, or [rows, 1, n] → cosine and signed sine, [..., n, head_dim]."""
        return self._cosine[positions], self._sine[positions]


class CachedTransformer:
    """The decoder layers of the talker or of the code predictor, with a key-value cache.

    It calls the layers' own linear modules. Attention is written out here, because the library's form interleaves three
    equal axes of rotary positions, repeats keys and values for each query head, and copies its cache to extend it.
    """

    def __init__(self, model: Transformer, capacity: int) -> None:
        """capacity: the most positions to hold."""
        self._layers, self._norm, self._capacity = model.layers, model.norm, capacity
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        self._length = 0

    def reset(self) -> None:
        self._length = 0

    def __call__(self, inputs: Tensor, rotary: tuple[Tensor, Tensor], mask: Tensor | None = None) -> Tensor:
        """The next positions: [rows, n, hidden] → final hidden states in that shape.

        The first call takes any n, with causal attention. Later calls take n = 1, and `mask` [rows, 1, 1, positions so
        far] is added to the attention scores. Raises ValueError for n > 1 in a later call.
        """
        if self._length and inputs.shape[1] != 1:
            raise ValueError(f"expected one position after the first {self._length}, got {inputs.shape[1]}")
        hidden = inputs
        for index, layer in enumerate(self._layers):
            states = _rms_norm(layer.input_layernorm, hidden)
            hidden = hidden + self._attend(index, layer.self_attn, states, rotary, mask)
            hidden = hidden + layer.mlp(_rms_norm(layer.post_attention_layernorm, hidden))
        self._length += inputs.shape[1]
        return _rms_norm(self._norm, hidden)

    def _attend(
        self, index: int, attention: Attention, inputs: Tensor, rotary: tuple[Tensor, Tensor], mask: Tensor | None
    ) -> Tensor:
        rows, n, _ = inputs.shape
        heads = (rows, n, -1, attention.head_dim)
        query = _rotate(_rms_norm(attention.q_norm, attention.q_proj(inputs).view(heads)).transpose(1, 2), *rotary)
        key = _rotate(_rms_norm(attention.k_norm, attention.k_proj(inputs).view(heads)).transpose(1, 2), *rotary)
        value = attention.v_proj(inputs).view(heads).transpose(1, 2)
        keys, values = self._append(index, key, value)
        if n > 1:
            mixed = F.scaled_dot_product_attention(query, keys, values, is_causal=True, enable_gqa=True)
        else:
            # The query heads that share a key head become its queries, so keys and values need not be repeated.
            grouped = query.reshape(rows, keys.shape[1], -1, attention.head_dim)
            mixed = F.scaled_dot_product_attention(grouped, keys, values, attn_mask=mask).reshape(query.shape)
        return attention.o_proj(mixed.transpose(1, 2).reshape(rows, n, -1))

    def _append(self, index: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """key, value: [rows, key heads, n, head_dim] → those of all positions so far."""
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


def _rms_norm(norm: RmsNorm, states: Tensor) -> Tensor:
    """The library's own form takes eight kernels in bfloat16, half of all the kernels of a frame."""
    return F.rms_norm(states, norm.weight.shape, norm.weight, norm.variance_epsilon)
