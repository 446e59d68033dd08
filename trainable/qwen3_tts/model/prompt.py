"""Lays clips out as the talker's input, position by position, as qwen-tts does when it generates.

Each position is the sum of a text embedding (through text_projection) and a codec embedding:

    text   role ×3 | pad ×(3|4)       | pad     | bos       | text … eos    | pad       | pad …
    codec          | think prefix     | speaker | codec_pad | codec_pad …   | codec_bos | frame 0 … frame T-1

The think prefix has 3 codes for language `auto` and 4 for a named one. A frame's embedding is the sum of its 16 codes'.
The last position before frame 0 predicts frame 0, and frame T-1 predicts EOS. This equals
`generate(..., x_vector_only_mode, non_streaming_mode=True)`; the default streaming layout of `generate_voice_clone` is
another one, which no trainer trains. (Checked against qwen-tts 0.1.1.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spaces.errors import InputError
from trainable.qwen3_tts.data.prepared import PreparedClip
from trainable.qwen3_tts.model.frame_sampling import scored_frames
from trainable.qwen3_tts.model.handles import ModelConfig, Talker

NO_CODE = -1


@dataclass(frozen=True)
class PromptLayout:
    """A right-padded batch of clips, as ids. It needs no attention mask: causal attention never sees the padding."""

    text_ids: Tensor
    """[clips, positions] int64."""
    codec_ids: Tensor
    """[clips, positions] int64; -1 where a position has no codec embedding of its own."""
    speaker_position: int
    """The position of the speaker embedding, the same in every row."""
    codes: Tensor
    """[frames of all clips, 16] int64."""
    frame_clip: Tensor
    """[frames] int64: the row of each frame."""
    frame_position: Tensor
    """[frames] int64: the position of each frame in its row. The position before it predicts it."""
    end_position: Tensor
    """[clips] int64: the position of each clip's last frame, which predicts EOS."""
    scored: Tensor
    """[scored] int64: the frames that codebooks 1–15 are scored on, padding included."""
    counts: Tensor
    """[scored] bool: False for padding, which counts in no clip's loss."""

    def to(self, device: torch.device) -> PromptLayout:
        moved = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in vars(self).items()}
        return PromptLayout(**moved)


def think_prefix(config: ModelConfig, language: str) -> list[int]:
    """Returns the codec ids that set the language. Raises InputError for a language that the model does not know."""
    talker = config.talker_config
    if language == "auto":
        return [talker.codec_nothink_id, talker.codec_think_bos_id, talker.codec_think_eos_id]
    if language not in talker.codec_language_id:
        known = ", ".join(sorted(talker.codec_language_id))
        raise InputError(f"language: the model does not know {language!r}; use auto or one of {known}")
    return [
        talker.codec_think_id,
        talker.codec_think_bos_id,
        talker.codec_language_id[language],
        talker.codec_think_eos_id,
    ]


def build_layout(
    config: ModelConfig,
    clips: Sequence[PreparedClip],
    role_ids: Tensor,
    language: str,
    sampled: Tensor | None = None,
    seats: int | None = None,
) -> PromptLayout:
    """Lays the clips out as one batch on the CPU.

    role_ids: [3] int64. sampled: [frames of all clips] bool, the frames to score on codebooks 1–15; None for all.
    seats: see `scored_frames`. Raises InputError for a language that the model does not know.
    """
    talker = config.talker_config
    prefix = think_prefix(config, language)
    pad, bos, eos = config.tts_pad_token_id, config.tts_bos_token_id, config.tts_eos_token_id
    text_rows, codec_rows, starts = [], [], []
    for clip in clips:
        spoken, frames = clip.text_ids.tolist(), len(clip.codes)
        text = [*role_ids.tolist(), *[pad] * (len(prefix) + 1), bos, *spoken, eos, pad]
        codec = [*[NO_CODE] * 3, *prefix, NO_CODE, *[talker.codec_pad_id] * (len(spoken) + 2), talker.codec_bos_id]
        starts.append(len(text))
        text_rows.append(text + [pad] * frames)
        codec_rows.append(codec + clip.codes[:, 0].tolist())
    longest = max(map(len, text_rows))
    lengths = torch.tensor([len(clip.codes) for clip in clips])
    first = torch.tensor(starts)
    scored, counts = scored_frames(lengths, sampled, seats)
    return PromptLayout(
        text_ids=torch.tensor([row + [pad] * (longest - len(row)) for row in text_rows]),
        codec_ids=torch.tensor([row + [NO_CODE] * (longest - len(row)) for row in codec_rows]),
        speaker_position=3 + len(prefix),
        codes=torch.cat([clip.codes for clip in clips]),
        frame_clip=torch.repeat_interleave(torch.arange(len(clips)), lengths),
        frame_position=torch.cat([start + torch.arange(length) for start, length in zip(first, lengths, strict=True)]),
        end_position=first + lengths - 1,
        scored=scored,
        counts=counts,
    )


def embed(talker: Talker, layout: PromptLayout, speaker: Tensor) -> Tensor:
    """Returns the talker's input embeddings, [clips, positions, hidden] in its dtype.

    speaker: [clips, hidden], or [hidden] for all clips.
    """
    codec_embedding = talker.get_input_embeddings()
    text = talker.text_projection(talker.get_text_embeddings()(layout.text_ids))
    codec = codec_embedding(layout.codec_ids.clamp(min=0)) * (layout.codec_ids != NO_CODE).unsqueeze(-1)
    codec[:, layout.speaker_position] = speaker.to(codec.dtype)
    later = sum(
        embedding(layout.codes[:, book])
        for book, embedding in enumerate(talker.code_predictor.get_input_embeddings(), start=1)
    )
    codec = codec.index_put((layout.frame_clip, layout.frame_position), later, accumulate=True)
    return text + codec
