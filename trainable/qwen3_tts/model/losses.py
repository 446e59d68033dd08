"""Both objectives and their parts, per clip, and the loss that is differentiated."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from spaces.qwen3_tts import SUB_WEIGHT, Objective, QwenDraw
from trainable.qwen3_tts.model.handles import Talker
from trainable.qwen3_tts.model.precision import at_least_float32
from trainable.qwen3_tts.model.prompt import PromptLayout, embed


def clip_losses(talker: Talker, layout: PromptLayout, speaker: Tensor) -> dict[str, Tensor]:
    """Computes the parts that `spaces.qwen3_tts.LOSSES` names, [clips] float32 each: the mean over a clip's own labels.

    speaker: [clips, hidden], or [hidden] for all. The code predictor runs only on the layout's scored frames.

    aligned: cross-entropy of codebook 0 and EOS + 0.3 × cross-entropy of codebooks 1–15, head k on codebook k + 1.
    guide: cross-entropy of codebook 0, EOS not labelled, + 0.3 × the sub-talker loss that qwen-tts 0.1.1 returns.
    There `forward_finetune` passes labels that are already aligned to a loss that shifts them once more, so head k is
    scored on codebook k + 2 and the last head on nothing. (Checked on the real classes: the returned loss equals
    CE(logits[:, :-1], codes[:, 2:]) exactly, and the last head's gradient is 0.)
    """
    clips = len(layout.end_position)
    hidden = talker.model(inputs_embeds=embed(talker, layout, speaker), use_cache=False).last_hidden_state
    before_frame = hidden[layout.frame_clip, layout.frame_position - 1]
    before_end = hidden[torch.arange(clips, device=hidden.device), layout.end_position]
    labels = layout.codes[:, 0]
    talker_ce = F.cross_entropy(at_least_float32(talker.codec_head(before_frame)), labels, reduction="none")
    eos = torch.full((clips,), talker.config.codec_eos_token_id, device=hidden.device)
    eos_ce = F.cross_entropy(at_least_float32(talker.codec_head(before_end)), eos, reduction="none")
    codes = layout.codes[layout.scored]
    logits = _sub_talker_logits(talker, codes, before_frame[layout.scored])
    sub_ce = _cross_entropy(logits, codes[:, 1:])
    shifted_ce = _cross_entropy(logits[:, :-1], codes[:, 2:])

    frames = _sum_per_clip(torch.ones_like(layout.frame_clip), layout.frame_clip, clips)
    scored_clip = layout.frame_clip[layout.scored]
    scored = _sum_per_clip(layout.counts.long(), scored_clip, clips)
    talker_mean = _sum_per_clip(talker_ce, layout.frame_clip, clips) / frames
    sub = _sum_per_clip(sub_ce * layout.counts, scored_clip, clips) / scored
    sub_shifted = _sum_per_clip(shifted_ce * layout.counts, scored_clip, clips) / scored
    return {
        "guide": talker_mean + SUB_WEIGHT * sub_shifted,
        "aligned": (talker_mean * frames + eos_ce) / (frames + 1) + SUB_WEIGHT * sub,
        "talker": talker_mean,
        "eos": eos_ce,
        "sub": sub,
        "sub_shifted": sub_shifted,
    }


def training_loss(parts: Mapping[str, Tensor], draw: QwenDraw) -> Tensor:
    """The loss that is differentiated, [clips]: the objective, with the sub-talker's loss weighted by the draw.

    The objective weights it by 0.3. Reported losses and the band always use that weight, so that trials compare.
    """
    sub = parts["sub_shifted" if draw.objective is Objective.GUIDE else "sub"]
    return parts[draw.objective] + (draw.sub_weight - SUB_WEIGHT) * sub


def _sub_talker_logits(talker: Talker, codes: Tensor, hidden: Tensor) -> Tensor:
    """codes: [frames, 16] int64, hidden: [frames, hidden] that predicted each frame → [frames, 15, codebook size].

    The library's `forward_sub_talker_finetune` without its loss and without a key-value cache.
    """
    embeddings = [talker.get_input_embeddings(), *talker.code_predictor.get_input_embeddings()]
    known = [embedding(codes[:, book]) for book, embedding in enumerate(embeddings[:-1])]
    inputs = torch.stack([hidden, *known], dim=1)
    return talker.code_predictor.forward_finetune(inputs_embeds=inputs, use_cache=False).logits


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """logits: [frames, books, codebook size], labels: [frames, books] int64 → mean over books, [frames]."""
    return F.cross_entropy(at_least_float32(logits).transpose(1, 2), labels, reduction="none").mean(dim=1)


def _sum_per_clip(values: Tensor, clip: Tensor, clips: int) -> Tensor:
    """values, clip: [frames] → the sum over each clip's frames, [clips]."""
    return torch.zeros(clips, dtype=values.dtype, device=values.device).index_add(0, clip, values)
