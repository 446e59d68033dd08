"""Decodes the same lines with our code and with qwen-tts, for tests that compare the two."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from qwen_tts import Qwen3TTSModel
from torch import Tensor, nn

from spaces.probe_settings import Sampling
from trainable.family.protocol import SpeechPrompt
from trainable.qwen3_tts.data.prepared import prompt_ids
from trainable.qwen3_tts.generation.decode import DecodedRow, decode
from trainable.qwen3_tts.generation.sampling import uniform_numbers
from trainable.qwen3_tts.generation.speech import embed_prompts
from trainable.qwen3_tts.model.precision import mixed_precision

LINES = ("hello there", "a rather longer line of text than the first", "x", "and one of middling length")
GREEDY = Sampling(greedy=True)


def with_eos_bias(tts: Qwen3TTSModel, bias: float) -> Qwen3TTSModel:
    """Gives the talker's head a bias on EOS."""
    talker = tts.model.talker
    head = nn.Linear(talker.config.hidden_size, talker.config.vocab_size)
    head.weight = talker.codec_head.weight
    with torch.no_grad():
        head.bias.zero_()
        head.bias[talker.config.codec_eos_token_id] = bias
    talker.codec_head = head.to(head.weight.dtype)
    return tts


def ours(
    tts: Qwen3TTSModel,
    speaker: Tensor,
    lines: Sequence[str] = LINES,
    cap: int | Sequence[int] = 24,
    seeds: Sequence[int] = (1, 2, 3, 4),
    sampling: Sampling = GREEDY,
    language: str = "auto",
    instructions: Sequence[str | None] | None = None,
) -> tuple[list[DecodedRow], Tensor]:
    """Our rows, and the talker's logits [rows, steps, vocabulary]."""
    caps, logits = [cap] * len(lines) if isinstance(cap, int) else cap, []
    instructions = instructions or [None] * len(lines)
    prompts = [SpeechPrompt(*each) for each in zip(lines, seeds[: len(lines)], caps, instructions, strict=True)]
    hook = tts.model.talker.codec_head.register_forward_hook(lambda _m, _i, out: logits.append(out[:, -1]))
    with torch.inference_mode(), mixed_precision(tts.model):
        uniform = uniform_numbers(seeds[: len(lines)], max(caps) + 1, tts.model.device)
        spoken = decode(tts.model.talker, embed_prompts(tts, speaker, language, prompts), uniform, caps, sampling)
    hook.remove()
    return spoken, torch.stack(logits, dim=1)


def library(
    tts: Qwen3TTSModel,
    speaker: Tensor,
    language: str = "auto",
    lines: Sequence[str] = LINES,
    cap: int = 24,
    instructions: Sequence[str | None] | None = None,
    **settings,
) -> tuple[list[Tensor], Tensor]:
    """The library's codes per row, and the talker's logits [rows, steps, vocabulary]."""
    rows, logits = len(lines), []
    texts = [tts._build_instruct_text(each) if each else None for each in instructions or [None] * rows]
    hook = tts.model.talker.codec_head.register_forward_hook(lambda _m, _i, out: logits.append(out[:, -1]))
    prompt = {
        "ref_code": [None] * rows,
        "ref_spk_embedding": [speaker] * rows,
        "x_vector_only_mode": [True] * rows,
        "icl_mode": [False] * rows,
    }
    with torch.no_grad(), mixed_precision(tts.model):
        codes, _ = tts.model.generate(
            input_ids=[prompt_ids(tts.processor, line)[None] for line in lines],
            instruct_ids=[tts._tokenize_texts([text])[0] if text else None for text in texts],
            voice_clone_prompt=prompt,
            languages=[language] * rows,
            non_streaming_mode=True,
            max_new_tokens=cap + 1,
            **{"do_sample": False, "subtalker_dosample": False, **settings},
        )
    hook.remove()
    return codes, torch.stack(logits, dim=1)
