"""The talker's input, position by position, as the library's own generation lays it out.

Each position is the sum of a text embedding (through text_projection) and a codec embedding:

    text   role ×3 | pad ×(3|4)       | pad     | bos       | text … eos    | pad       | pad …
    codec          | think prefix     | speaker | codec_pad | codec_pad …   | codec_bos | frame 0 … frame T-1

The think prefix has 3 codes for language `auto` and 4 for a named one. A frame's embedding is the sum of its 16 codes'.
The last position before frame 0 predicts frame 0, and frame T-1 predicts EOS. This equals
`generate(..., x_vector_only_mode, non_streaming_mode=True)`; the default streaming layout of `generate_voice_clone` is
another one that no trainer trains. (Checked against qwen-tts 0.1.1.)

Which frames the sub-talker is scored on: a share of each clip's, drawn anew in every step.

The code predictor runs through 16 positions for every frame that it is scored on, which is a large part of a step. A
clip's mean over frames that were drawn evenly is an unbiased estimate of its mean over all of them. The draw is a hash
of (trial seed, optimizer step, clip, frame), as dropout's masks are: a resumed trial, another seat and another member
of a process group draw the same frames.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spaces.errors import InputError
from trainable.qwen3_tts.data.prepared import PreparedClip
from trainable.qwen3_tts.model import dropout

CPU = torch.device("cpu")
ROUNDING = 1e-9
"""0.07 × 100 is a little more than 7 in floating point; 7 frames are meant."""


def picked_frames(
    lengths: Sequence[int], rows: Sequence[tuple[int, int, int]], shares: Sequence[float]
) -> Tensor | None:
    """Frames of each row's clip, (trial seed, step, clip) of each row, and the share of its frames that is scored.

    Returns [frames of all rows] bool with ceil(share × frames) of each row, or None where every frame is scored. In a
    step 0, which trains nothing, every frame is, whatever the share.
    """
    shares = [share if step else 1.0 for share, (_, step, _) in zip(shares, rows, strict=True)]
    if all(share == 1 for share in shares):
        return None
    counts = [math.ceil(share * frames - ROUNDING) for share, frames in zip(shares, lengths, strict=True)]
    frames = torch.tensor(lengths)
    row = torch.repeat_interleave(torch.arange(len(rows)), frames)
    within = torch.arange(len(row)) - (frames.cumsum(0) - frames)[row]
    bits = dropout.noise(dropout.row_keys(rows, CPU, "frames")[row], within[:, None], 1).flatten()
    order = (row * 2**32 + bits).argsort()
    # A row's frames are sorted among themselves, so that `within` is also the rank of the frame that came there.
    picked = torch.zeros(len(row), dtype=torch.bool)
    picked[order] = within < torch.tensor(counts).clamp(min=1)[row]
    return picked


def scored_frames(lengths: Tensor, picked: Tensor | None, equal_parts: int | None) -> tuple[Tensor, Tensor]:
    """lengths: [rows], frames of each; picked: as `picked_frames` returns.

    Returns the places of the scored frames among all, [scored] int64, and which of them count, [scored] bool. With
    `equal_parts` the rows are that many runs of equally many rows, and each run's scored frames are filled up to those
    of the longest run with repetitions that do not count.
    """
    total = int(lengths.sum())
    scored = torch.arange(total) if picked is None else picked.nonzero().flatten()
    if equal_parts is None:
        return scored, torch.ones(len(scored), dtype=torch.bool)
    part = torch.arange(equal_parts).repeat_interleave(lengths.view(equal_parts, -1).sum(dim=1))[scored]
    count = part.bincount(minlength=equal_parts)
    within = torch.arange(int(count.max()))
    counts = within < count[:, None]
    source = (count.cumsum(0) - count)[:, None] + torch.where(counts, within, 0)
    return scored[source.flatten()], counts.flatten()


NO_CODE = -1


@dataclass(frozen=True)
class PromptLayout:
    """A right-padded batch of clips, as ids. No attention mask is needed: the padding lies after all that counts."""

    text_ids: Tensor
    """[clips, positions] int64."""
    codec_ids: Tensor
    """[clips, positions] int64; -1 where a position has no codec embedding of its own."""
    speaker_at: int
    """The position of the speaker embedding, the same in every row."""
    codes: Tensor
    """[frames of all clips, 16] int64."""
    frame_clip: Tensor
    """[frames] int64: the row of each frame."""
    frame_at: Tensor
    """[frames] int64: the position of each frame in its row. The position before it predicts it."""
    end_at: Tensor
    """[clips] int64: the position of each clip's last frame, which predicts EOS."""
    scored: Tensor
    """[scored] int64: which of the frames codebooks 1–15 are scored on."""
    counts: Tensor
    """[scored] bool: False for padding, which belongs to no clip's loss."""

    def to(self, device: torch.device) -> PromptLayout:
        moved = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in vars(self).items()}
        return PromptLayout(**moved)


def think_prefix(config, language: str) -> list[int]:
    """The codec ids that say in which language to speak. Raises InputError on one the model does not know."""
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


def lay_out(
    config,
    clips: Sequence[PreparedClip],
    role_ids: Tensor,
    language: str,
    picked: Tensor | None = None,
    equal_parts: int | None = None,
) -> PromptLayout:
    """The clips as one batch. `config` is the checkpoint's `Qwen3TTSConfig`.

    picked: [frames of all clips] bool, which of them are scored on codebooks 1–15; None for all. With `equal_parts` the
    clips are that many runs of equal length, and each run's scored frames are padded to the longest's.
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
    scored, counts = scored_frames(lengths, picked, equal_parts)
    return PromptLayout(
        text_ids=torch.tensor([row + [pad] * (longest - len(row)) for row in text_rows]),
        codec_ids=torch.tensor([row + [NO_CODE] * (longest - len(row)) for row in codec_rows]),
        speaker_at=3 + len(prefix),
        codes=torch.cat([clip.codes for clip in clips]),
        frame_clip=torch.repeat_interleave(torch.arange(len(clips)), lengths),
        frame_at=torch.cat([start + torch.arange(length) for start, length in zip(first, lengths, strict=True)]),
        end_at=first + lengths - 1,
        scored=scored,
        counts=counts,
    )


def embed(talker, layout: PromptLayout, speaker: Tensor) -> Tensor:
    """The talker's input embeddings, [clips, positions, hidden]. speaker: [clips, hidden], or [hidden] for all."""
    codec_embedding = talker.get_input_embeddings()
    text = talker.text_projection(talker.get_text_embeddings()(layout.text_ids))
    codec = codec_embedding(layout.codec_ids.clamp(min=0)) * (layout.codec_ids != NO_CODE).unsqueeze(-1)
    codec[:, layout.speaker_at] = speaker.to(codec.dtype)
    later = sum(
        embedding(layout.codes[:, book])
        for book, embedding in enumerate(talker.code_predictor.get_input_embeddings(), start=1)
    )
    codec = codec.index_put((layout.frame_clip, layout.frame_at), later, accumulate=True)
    return text + codec
