"""Speaking lines with a talker, and knowing whether each one ended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from qwen_tts import Qwen3TTSModel
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from spaces.probe_settings import Sampling
from trainable.family.protocol import SpeechPrompt, Utterance
from trainable.qwen3_tts.data.prepared import CODEBOOKS, ROLE_TOKENS, TAIL_TOKENS, PreparedClip, prompt_ids
from trainable.qwen3_tts.generation.decode import Prompts, decode
from trainable.qwen3_tts.generation.sampling import uniform_numbers
from trainable.qwen3_tts.model.prompt import embed, lay_out

POSITIONS = 32_768
"""Rows × positions that are spoken at once. A position keeps 112 KiB of keys and values in the 1.7B model in bfloat16,
so these take 3.5 GiB; all lines of a pack's seats with room for the longest one would take many times as much."""


def speak(
    tts: Qwen3TTSModel, speaker: Tensor, language: str, cues: Sequence[SpeechPrompt], sampling: Sampling, seats: int = 1
) -> list[list[Utterance]]:
    """Says the cues in the voice of `speaker` [hidden], each sampled from its own seed alone, once for each of the
    seats that the talker's modules serve.

    A cue sounds the same whatever is said beside it, up to the rounding of batched arithmetic. One whose EOS is not
    sampled within its own cap is cut there. Raises ValueError for an instruction where the model takes none.
    """
    said: list[list[Utterance | None]] = [[None] * len(cues) for _ in range(seats)]
    for group in groups([cue.frame_cap for cue in cues], seats, POSITIONS):
        together = _speak(tts, speaker, language, [cues[at] for at in group] * seats, sampling)
        for place, utterance in enumerate(together):
            said[place // len(group)][group[place % len(group)]] = utterance
    return said


def groups(caps: Sequence[int], seats: int, positions: int) -> list[list[int]]:
    """Which cues are spoken at once, by their places: all in their order where rows × longest cap is within
    `positions`, else neighbours in length, as many as fit and one at least."""
    if not caps:
        return []
    if seats * len(caps) * max(caps) <= positions:
        return [list(range(len(caps)))]
    found: list[list[int]] = [[]]
    for at in sorted(range(len(caps)), key=lambda at: caps[at]):
        if found[-1] and seats * (len(found[-1]) + 1) * caps[at] > positions:
            found.append([])
        found[-1].append(at)
    return found


def _speak(
    tts: Qwen3TTSModel, speaker: Tensor, language: str, cues: Sequence[SpeechPrompt], sampling: Sampling
) -> list[Utterance]:
    """As one batch."""
    model, caps = tts.model, [cue.frame_cap for cue in cues]
    with torch.inference_mode(), mixed_precision(model):
        uniform = uniform_numbers([cue.seed for cue in cues], max(caps) + 1, model.device)
        spoken = decode(model.talker, prompts(tts, speaker, language, cues), uniform, caps, sampling)
    # One by one: in a batch the codec rounds otherwise, and a lone wave is work enough for a GPU.
    waves = [model.speech_tokenizer.decode([{"audio_codes": row.codes}])[0][0] for row in spoken]
    return [
        Utterance(
            wave=np.asarray(wave, dtype=np.float32),
            frames=len(row.codes),
            frame_cap=cap,
            eos=row.eos,
            codes=row.codes.cpu().numpy(),
        )
        for wave, row, cap in zip(waves, spoken, caps, strict=True)
    ]


def prompts(tts: Qwen3TTSModel, speaker: Tensor, language: str, cues: Sequence[SpeechPrompt]) -> Prompts:
    """The training layout of clips that have no frames yet, each after its instruction. speaker: [hidden].

    Raises ValueError for an instruction where the model takes none.
    """
    talker, config = tts.model.talker, tts.model.config
    tokens = [prompt_ids(tts, cue.text) for cue in cues]
    silence = torch.zeros(0, CODEBOOKS, dtype=torch.int64)
    clips = [
        PreparedClip(text=cue.text, seconds=0.0, text_ids=ids[ROLE_TOKENS:-TAIL_TOKENS], codes=silence)
        for cue, ids in zip(cues, tokens, strict=True)
    ]
    layout = lay_out(config, clips, tokens[0][:ROLE_TOKENS], language).to(tts.model.device)
    pad_ids = torch.full((len(cues), 1), config.tts_pad_token_id, device=tts.model.device)
    pad = talker.text_projection(talker.get_text_embeddings()(pad_ids))
    plain = Prompts(embed(talker, layout, speaker), layout.end_at, pad)
    return _instructed(tts, plain, cues) if any(cue.instruction for cue in cues) else plain


def _instructed(tts: Qwen3TTSModel, plain: Prompts, cues: Sequence[SpeechPrompt]) -> Prompts:
    """Prompts that begin with the instruction's tokens, from position 0, where a cue has one.

    Like the library's `instruct_ids`, they are text embeddings alone, without a codec embedding. The text projection
    is given all rows at one length, for the seats of a pack; what fills the shorter ones up ends as padding.
    """
    talker, device = tts.model.talker, plain.embeddings.device
    ids = [_instruction_ids(tts, cue) for cue in cues]
    lengths = torch.tensor([len(row) for row in ids], device=device)
    filler = tts.model.config.tts_pad_token_id
    padded = pad_sequence(ids, batch_first=True, padding_value=filler, padding_side="left").to(device)
    instructions = talker.text_projection(talker.get_text_embeddings()(padded))
    whole = torch.cat([instructions.to(plain.embeddings.dtype), plain.embeddings], dim=1)
    # Each row is shifted left by its filler, and its last position stands for the padding that this leaves behind.
    width = whole.shape[1]
    places = torch.arange(width, device=device) + (padded.shape[1] - lengths)[:, None]
    shifted = whole.gather(1, places.clamp(max=width - 1)[..., None].expand_as(whole))
    return Prompts(shifted, plain.end_at + lengths, plain.pad)


def _instruction_ids(tts: Qwen3TTSModel, cue: SpeechPrompt) -> Tensor:
    """[tokens] int64, in the library's own chat template; none without an instruction."""
    if not cue.instruction:
        return torch.zeros(0, dtype=torch.int64)
    if not takes_instructions(tts):
        raise ValueError(
            f"expected no instruction, since a model of this size takes none, got {cue.instruction!r} for "
            f"{cue.text!r}; leave it out or take the 1.7B model"
        )
    prompt = f"<|im_start|>user\n{cue.instruction}<|im_end|>\n"
    return tts.processor(text=prompt, return_tensors="pt")["input_ids"][0]


def takes_instructions(tts: Qwen3TTSModel) -> bool:
    """The 1.7B does, and the 0.6B does not, as in the library; of other sizes nothing is known."""
    return tts.model.tts_model_size == "1b7"


def mixed_precision(model) -> torch.autocast:
    """bfloat16 autocast where the base is bfloat16: its trainable parts are float32."""
    return torch.autocast(model.device.type, torch.bfloat16, enabled=model.dtype == torch.bfloat16)
