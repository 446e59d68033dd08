"""The pre-training loss: the next first code, the end of speech, and codebooks 2 to 16 of each frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from qwen_tts.core.models.modeling_qwen3_tts import Qwen3TTSForConditionalGeneration
from torch import Tensor

from demo.batches import IGNORE, ROLE, PretrainingBatch
from demo.model import SPEAKER_NORM

SPEAKER_POSITION = ROLE + 3
NOISY_FRAMES = 0.8
NOISY_FIRST_CODES = 0.03
SPEAKER_NOISE = 0.03


@dataclass(frozen=True)
class PretrainingLosses:
    """talker: cross-entropy of the first codebook, the end of speech included; sub: of codebooks 2 to 16. In nats.

    speaker: the distance of the speaker embeddings from norm 2 and from a mean of zero. Without it they grow
    ten-thousandfold, because the following layers normalise their input, and share one direction, so that the cosine
    does not distinguish voices.
    """

    talker: Tensor
    sub: Tensor
    speaker: Tensor

    @property
    def total(self) -> Tensor:
        return self.talker + 0.3 * self.sub + 0.1 * self.speaker


def with_noise(batch: PretrainingBatch, codebook_size: int) -> PretrainingBatch:
    """Replaces codes of the INPUT at random; the labels stay the same.

    Late codes are almost unpredictable. A small talker recognises the training clips by them, and then fails on its own
    output, where they are different.
    """
    shape = batch.frames.shape
    first_noisy = torch.randint(1, 16, (*shape[:2], 1))
    first_noisy[torch.rand(*shape[:2], 1) >= NOISY_FRAMES] = 16
    noise = torch.randint(0, codebook_size, shape)
    frames = torch.where(torch.arange(16) >= first_noisy, noise, batch.frames)
    swapped = batch.is_frame & (torch.rand(shape[:2]) < NOISY_FIRST_CODES)
    return replace(batch, frames=frames, codec=torch.where(swapped, noise[..., 0], batch.codec))


def embed(model: Qwen3TTSForConditionalGeneration, batch: PretrainingBatch, speaker: Tensor) -> Tensor:
    """speaker: [batch, hidden] → input embeddings [batch, positions, hidden] in the non-streaming layout."""
    talker = model.talker
    text = talker.text_projection(talker.get_text_embeddings()(batch.text.clamp(min=0)))
    codec = talker.get_input_embeddings()(batch.codec.clamp(min=0))
    embedded = text * (batch.text >= 0)[..., None] + codec * (batch.codec >= 0)[..., None]
    lower = talker.code_predictor.get_input_embeddings()
    summed = sum(table(batch.frames[..., stage + 1]) for stage, table in enumerate(lower))
    at_speaker = F.one_hot(torch.tensor(SPEAKER_POSITION), embedded.shape[1]).to(embedded.dtype)
    return embedded + summed * batch.is_frame[..., None] + at_speaker[None, :, None] * speaker[:, None]


def losses(
    model: Qwen3TTSForConditionalGeneration, inputs: PretrainingBatch, targets: PretrainingBatch, sub_share: float
) -> PretrainingLosses:
    """inputs: the batch with noise, which the model reads; targets: the same batch without noise.

    Right-padded rows with causal attention need no mask. The sub-talker is trained on a random share of the frames.
    """
    talker = model.talker
    speaker = model.speaker_encoder(inputs.references)
    unit = speaker / SPEAKER_NORM
    spread = (unit.norm(dim=1) - 1).pow(2).mean() + unit.mean(0).pow(2).sum()
    # A voice cloned later lies between the known ones, so the neighbourhood of each must sound like it.
    speaker = speaker + SPEAKER_NOISE * torch.randn_like(speaker)
    hidden = talker.model(inputs_embeds=embed(model, inputs, speaker), use_cache=False).last_hidden_state
    labelled = targets.labels != IGNORE
    talker_loss = F.cross_entropy(talker.codec_head(hidden[labelled]), targets.labels[labelled])
    # The position BEFORE a frame predicts all its codebooks, because generation reads the hidden state there.
    rows, positions = torch.nonzero(targets.is_frame, as_tuple=True)
    chosen = torch.rand(len(rows)) < sub_share
    rows, positions = rows[chosen], positions[chosen]
    codes = targets.frames[rows, positions]
    logits, _ = talker.forward_sub_talker_finetune(codes, hidden[rows, positions - 1])
    return PretrainingLosses(talker_loss, F.cross_entropy(logits.flatten(0, 1), codes[:, 1:].flatten()), spread)
