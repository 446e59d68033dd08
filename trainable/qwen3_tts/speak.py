"""Speaking lines with a talker, and knowing whether each one ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from qwen_tts import Qwen3TTSModel
from torch import Tensor

from spaces.probe_settings import Sampling
from trainable.family import Utterance
from trainable.qwen3_tts.prepared import prompt_ids


def speak(
    tts: Qwen3TTSModel,
    speaker: Tensor,
    language: str,
    lines: Sequence[str],
    seed: int,
    frame_caps: Sequence[int],
    sampling: Sampling,
) -> list[Utterance]:
    """Says the lines as one batch in the voice of `speaker` [hidden], by the library's own generation.

    The layout is the one that training uses (`non_streaming_mode=True`; the library's default is another). A line whose
    EOS is not sampled within its own cap is cut there.
    """
    prompt = {
        "ref_code": [None] * len(lines),
        "ref_spk_embedding": [speaker] * len(lines),
        "x_vector_only_mode": [True] * len(lines),
        "icl_mode": [False] * len(lines),
    }
    model = tts.model
    torch.manual_seed(seed)
    with torch.no_grad(), mixed_precision(model), sampled_sequences(model.talker) as sequences:
        codes, _ = model.generate(
            input_ids=[prompt_ids(tts, line)[None].to(model.device) for line in lines],
            voice_clone_prompt=prompt,
            languages=[language] * len(lines),
            non_streaming_mode=True,
            max_new_tokens=max(frame_caps) + 1,
            do_sample=True,
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=1.0,
            subtalker_dosample=True,
            subtalker_temperature=sampling.subtalker_temperature,
            subtalker_top_k=sampling.subtalker_top_k,
            subtalker_top_p=1.0,
            repetition_penalty=sampling.repetition_penalty,
        )
    ended = (sequences[0] == model.config.talker_config.codec_eos_token_id).any(dim=1).tolist()
    kept = [row[:cap] for row, cap in zip(codes, frame_caps, strict=True)]
    waves, _ = model.speech_tokenizer.decode([{"audio_codes": row} for row in kept])
    return [
        Utterance(
            wave=np.asarray(wave, dtype=np.float32),
            frames=len(row),
            frame_cap=cap,
            eos=bool(end) and len(whole) <= cap,
        )
        for wave, row, whole, cap, end in zip(waves, kept, codes, frame_caps, ended, strict=True)
    ]


@contextmanager
def sampled_sequences(talker) -> Iterator[list[Tensor]]:
    """Collects what `talker.generate` samples, [rows, steps] int64 each.

    The library returns codes only: a single row's EOS is not among them, and a row without one is as long as a row
    whose EOS came on the very last step.
    """
    sequences: list[Tensor] = []
    generate = talker.generate

    def recording(*args, **kwargs):
        result = generate(*args, **kwargs)
        sequences.append(result.sequences)
        return result

    talker.generate = recording
    try:
        yield sequences
    finally:
        del talker.generate


def mixed_precision(model) -> torch.autocast:
    """bfloat16 autocast where the base is bfloat16: its trainable parts are float32."""
    return torch.autocast(model.device.type, torch.bfloat16, enabled=model.dtype == torch.bfloat16)
