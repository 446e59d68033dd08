"""Speaking lines with a talker, and knowing whether each one ended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from qwen_tts import Qwen3TTSModel
from torch import Tensor

from spaces.probe_settings import Sampling
from trainable.family import Utterance
from trainable.qwen3_tts.decode import Prompts, decode
from trainable.qwen3_tts.layout import embed, lay_out
from trainable.qwen3_tts.prepared import CODEBOOKS, ROLE_TOKENS, TAIL_TOKENS, PreparedClip, prompt_ids
from trainable.qwen3_tts.sampling import uniform_numbers


def speak(
    tts: Qwen3TTSModel,
    speaker: Tensor,
    language: str,
    lines: Sequence[str],
    seeds: Sequence[int],
    frame_caps: Sequence[int],
    sampling: Sampling,
) -> list[Utterance]:
    """Says the lines as one batch in the voice of `speaker` [hidden], each sampled from its own seed alone.

    A line sounds the same whatever is said beside it, up to the rounding of batched arithmetic. One whose EOS is not
    sampled within its own cap is cut there.
    """
    model = tts.model
    with torch.inference_mode(), mixed_precision(model):
        uniform = uniform_numbers(seeds, max(frame_caps) + 1, model.device)
        spoken = decode(model.talker, prompts(tts, speaker, language, lines), uniform, frame_caps, sampling)
    # One by one: in a batch the codec rounds otherwise, and a lone wave is work enough for a GPU.
    waves = [model.speech_tokenizer.decode([{"audio_codes": row.codes}])[0][0] for row in spoken]
    return [
        Utterance(wave=np.asarray(wave, dtype=np.float32), frames=len(row.codes), frame_cap=cap, eos=row.eos)
        for wave, row, cap in zip(waves, spoken, frame_caps, strict=True)
    ]


def prompts(tts: Qwen3TTSModel, speaker: Tensor, language: str, lines: Sequence[str]) -> Prompts:
    """The training layout of clips that have no frames yet. speaker: [hidden]."""
    talker, config = tts.model.talker, tts.model.config
    tokens = [prompt_ids(tts, line) for line in lines]
    silence = torch.zeros(0, CODEBOOKS, dtype=torch.int64)
    clips = [
        PreparedClip(text=line, seconds=0.0, text_ids=ids[ROLE_TOKENS:-TAIL_TOKENS], codes=silence)
        for line, ids in zip(lines, tokens, strict=True)
    ]
    layout = lay_out(config, clips, tokens[0][:ROLE_TOKENS], language).to(tts.model.device)
    pad_ids = torch.full((len(lines), 1), config.tts_pad_token_id, device=tts.model.device)
    return Prompts(
        embeddings=embed(talker, layout, speaker),
        end_at=layout.end_at,
        pad=talker.text_projection(talker.get_text_embeddings()(pad_ids)),
    )


def mixed_precision(model) -> torch.autocast:
    """bfloat16 autocast where the base is bfloat16: its trainable parts are float32."""
    return torch.autocast(model.device.type, torch.bfloat16, enabled=model.dtype == torch.bfloat16)
