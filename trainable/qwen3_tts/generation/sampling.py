"""Selects codes from logits: greedily, or as the library samples, with uniform numbers from each row's own seed."""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainable.qwen3_tts.checkpoint.size import CODEBOOKS
from trainable.qwen3_tts.model.handles import TalkerConfig
from trainable.qwen3_tts.model.precision import at_least_float32

CONTROL_CODES = 1024
"""The last ids of the talker's vocabulary are not sounds. Of these only EOS may be sampled."""
MIN_FRAMES = 2
"""EOS is not sampled before this many frames, as in the library."""


def uniform_numbers(seeds: Sequence[int], frames: int, device: torch.device) -> Tensor:
    """Draws [rows, frames, 16] float64 in [0, 1): one number per code, each row's from its own seed.

    A longer table begins with the same numbers as a shorter one, so a frame's numbers do not depend on the cap. They
    are float32 numbers: the largest, 1 - 2^-24, is further from 1 than the rounding of a float64 sum of probabilities.
    """
    rows = [
        torch.rand(frames, CODEBOOKS, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)
        for seed in seeds
    ]
    return torch.stack(rows).to(device, torch.float64)


class FirstCodeProcessor:
    """The library's logits processors for codebook 0: control codes, minimum length and repetition penalty."""

    def __init__(self, config: TalkerConfig, rows: int, repetition_penalty: float, device: torch.device) -> None:
        codes = torch.arange(config.vocab_size, device=device)
        self._suppressed = (codes >= config.vocab_size - CONTROL_CODES) & (codes != config.codec_eos_token_id)
        self._suppressed_at_first = self._suppressed | (codes == config.codec_eos_token_id)
        self._used = torch.zeros(rows, config.vocab_size, dtype=torch.bool, device=device)
        self._penalty = repetition_penalty

    def apply(self, logits: Tensor, frame: int) -> Tensor:
        """logits: [rows, vocabulary] → the same shape in float32 or float64, -inf for codes that cannot follow."""
        logits = at_least_float32(logits)
        penalised = torch.where(logits < 0, logits * self._penalty, logits / self._penalty)
        suppressed = self._suppressed_at_first if frame < MIN_FRAMES else self._suppressed
        return torch.where(self._used, penalised, logits).masked_fill(suppressed, -torch.inf)

    def update(self, codes: Tensor) -> None:
        """codes: [rows] int64 of this frame, penalised from the next one on."""
        self._used.scatter_(1, codes[:, None], True)


def select_codes(scores: Tensor, uniform: Tensor, temperature: float, top_k: int, greedy: bool) -> Tensor:
    """Samples a code with each row's uniform number; with `greedy` takes the most probable, of equals the first.

    scores: [rows, vocabulary]; uniform: [rows] float64 in [0, 1), see `uniform_numbers` → [rows] int64.
    """
    return scores.argmax(dim=-1) if greedy else sample_codes(warp_logits(scores, temperature, top_k), uniform)


def warp_logits(logits: Tensor, temperature: float, top_k: int) -> Tensor:
    """logits: [rows, vocabulary] → divided by the temperature, -inf below the k-th best. Ties with it are kept."""
    scores = at_least_float32(logits) / temperature
    kth_best = scores.topk(min(top_k, scores.shape[-1])).values[:, -1:]
    return scores.masked_fill(scores < kth_best, -torch.inf)


def sample_codes(scores: Tensor, uniform: Tensor) -> Tensor:
    """Inverse CDF: the first code at which the cumulative probability exceeds the uniform number.

    scores: [rows, vocabulary]; uniform: [rows] float64 in [0, 1), see `uniform_numbers` → [rows] int64.
    """
    probabilities = scores.softmax(dim=-1)
    summed = probabilities.cumsum(dim=-1, dtype=torch.float64)
    reached = summed > uniform[:, None] * summed[:, -1:]
    # A parallel sum can rise by rounding where nothing was added. A code of probability 0 must not be selected there.
    return (reached & (probabilities > 0)).to(torch.uint8).argmax(dim=-1)
