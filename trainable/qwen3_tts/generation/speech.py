"""Speaks lines with a talker and tells whether each one ended with EOS."""

from collections.abc import Sequence

import torch
from qwen_tts import Qwen3TTSModel
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from spaces.probe_settings import Sampling
from trainable.family.protocol import SpeechPrompt, Utterance
from trainable.qwen3_tts.checkpoint.size import CODEBOOKS
from trainable.qwen3_tts.data.prepared import ROLE_TOKENS, TAIL_TOKENS, PreparedClip, prompt_ids
from trainable.qwen3_tts.generation.decode import PromptEmbeddings, decode
from trainable.qwen3_tts.generation.sampling import uniform_numbers
from trainable.qwen3_tts.model.codec_io import decode_codes
from trainable.qwen3_tts.model.precision import mixed_precision
from trainable.qwen3_tts.model.prompt import build_layout, embed

MAX_POSITIONS = 32_768
"""Rows × positions that are decoded at once. A position takes 112 KiB of keys and values in the 1.7B model in bfloat16,
so these take 3.5 GiB. All lines of all seats of a pack at the longest cap would take many times as much."""


def speak(
    tts: Qwen3TTSModel,
    speaker: Tensor,
    language: str,
    prompts: Sequence[SpeechPrompt],
    sampling: Sampling,
    seats: int = 1,
) -> list[list[Utterance]]:
    """Speaks the prompts in the voice of `speaker` [hidden] once for each seat → utterances by seat, then by prompt.

    Each prompt is sampled from its own seed alone, so it sounds the same beside any others, up to the rounding of
    batched arithmetic. It is cut at its own cap if EOS has not been sampled by then. Raises ValueError for an
    instruction if the model takes none.
    """
    utterances: list[dict[int, Utterance]] = [{} for _ in range(seats)]
    for batch in batches_that_fit([prompt.frame_cap for prompt in prompts], seats, MAX_POSITIONS):
        spoken = _speak_batch(tts, speaker, language, [prompts[index] for index in batch] * seats, sampling)
        for row, utterance in enumerate(spoken):
            utterances[row // len(batch)][batch[row % len(batch)]] = utterance
    return [[of_seat[index] for index in range(len(prompts))] for of_seat in utterances]


def batches_that_fit(caps: Sequence[int], seats: int, max_positions: int) -> list[list[int]]:
    """Divides prompts, by their indices, into batches whose rows × longest cap is at most `max_positions`.

    If everything fits, one batch keeps the given order. Otherwise prompts are sorted by cap, and each batch takes as
    many as fit, but at least one.
    """
    if not caps:
        return []
    if seats * len(caps) * max(caps) <= max_positions:
        return [list(range(len(caps)))]
    batches: list[list[int]] = [[]]
    for index in sorted(range(len(caps)), key=lambda index: caps[index]):
        if batches[-1] and seats * (len(batches[-1]) + 1) * caps[index] > max_positions:
            batches.append([])
        batches[-1].append(index)
    return batches


def _speak_batch(
    tts: Qwen3TTSModel, speaker: Tensor, language: str, prompts: Sequence[SpeechPrompt], sampling: Sampling
) -> list[Utterance]:
    model, caps = tts.model, [prompt.frame_cap for prompt in prompts]
    with torch.inference_mode(), mixed_precision(model):
        uniform = uniform_numbers([prompt.seed for prompt in prompts], max(caps) + 1, model.device)
        rows = decode(model.talker, embed_prompts(tts, speaker, language, prompts), uniform, caps, sampling)
    # One by one: in a batch the codec rounds differently, and a single wave is enough work for a GPU.
    waves = [decode_codes(tts, row.codes) for row in rows]
    return [
        Utterance(wave=wave, frames=len(row.codes), frame_cap=cap, eos=row.eos, codes=row.codes.cpu().numpy())
        for wave, row, cap in zip(waves, rows, caps, strict=True)
    ]


def embed_prompts(
    tts: Qwen3TTSModel, speaker: Tensor, language: str, prompts: Sequence[SpeechPrompt]
) -> PromptEmbeddings:
    """Embeds prompts in the training layout of clips without frames, each after its instruction. speaker: [hidden].

    Raises ValueError for an instruction if the model takes none.
    """
    talker, config = tts.model.talker, tts.model.config
    tokens = [prompt_ids(tts.processor, prompt.text) for prompt in prompts]
    no_codes = torch.zeros(0, CODEBOOKS, dtype=torch.int64)
    clips = [
        PreparedClip(text=prompt.text, seconds=0.0, text_ids=ids[ROLE_TOKENS:-TAIL_TOKENS], codes=no_codes)
        for prompt, ids in zip(prompts, tokens, strict=True)
    ]
    layout = build_layout(config, clips, tokens[0][:ROLE_TOKENS], language).to(tts.model.device)
    pad_ids = torch.full((len(prompts), 1), config.tts_pad_token_id, device=tts.model.device)
    pad = talker.text_projection(talker.get_text_embeddings()(pad_ids))
    plain = PromptEmbeddings(embed(talker, layout, speaker), layout.end_position, pad)
    return _prepend_instructions(tts, plain, prompts) if any(prompt.instruction for prompt in prompts) else plain


def _prepend_instructions(
    tts: Qwen3TTSModel, plain: PromptEmbeddings, prompts: Sequence[SpeechPrompt]
) -> PromptEmbeddings:
    """Puts each prompt's instruction, if it has one, before the prompt, from position 0 on.

    Like the library's `instruct_ids`, an instruction is text embeddings alone, without a codec embedding. The text
    projection gets all rows in one length, which a pack's seats need; the filler of shorter rows ends up as padding.
    """
    talker, device = tts.model.talker, plain.embeddings.device
    ids = [_instruction_ids(tts, prompt) for prompt in prompts]
    lengths = torch.tensor([len(row) for row in ids], device=device)
    filler = tts.model.config.tts_pad_token_id
    padded = pad_sequence(ids, batch_first=True, padding_value=filler, padding_side="left").to(device)
    instructions = talker.text_projection(talker.get_text_embeddings()(padded))
    joined = torch.cat([instructions.to(plain.embeddings.dtype), plain.embeddings], dim=1)
    # Shifts each row left by its filler. The positions freed at the end repeat the last one and are padding.
    width = joined.shape[1]
    positions = torch.arange(width, device=device) + (padded.shape[1] - lengths)[:, None]
    shifted = joined.gather(1, positions.clamp(max=width - 1)[..., None].expand_as(joined))
    return PromptEmbeddings(shifted, plain.end_position + lengths, plain.pad)


def _instruction_ids(tts: Qwen3TTSModel, prompt: SpeechPrompt) -> Tensor:
    """Tokenises the instruction in the library's chat template → [tokens] int64, empty without an instruction."""
    if not prompt.instruction:
        return torch.zeros(0, dtype=torch.int64)
    if not takes_instructions(tts):
        raise ValueError(
            f"expected no instruction, because a model of this size takes none, got {prompt.instruction!r} for "
            f"{prompt.text!r}; leave it out or use the 1.7B model"
        )
    template = f"<|im_start|>user\n{prompt.instruction}<|im_end|>\n"
    return tts.processor(text=template, return_tensors="pt")["input_ids"][0]


def takes_instructions(tts: Qwen3TTSModel) -> bool:
    """As in the library, the 1.7B model takes instructions and the 0.6B does not. Other sizes are refused too."""
    return tts.model.tts_model_size == "1b7"
