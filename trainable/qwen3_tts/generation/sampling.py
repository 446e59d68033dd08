"""Codes from logits: the most probable, or drawn from the library's distribution, by uniform numbers that belong to the
row alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trainable.qwen3_tts.data.prepared import CODEBOOKS

CONTROL_CODES = 1024
"""The last ids of the talker's vocabulary are no sounds; of these it may say EOS only."""
MIN_FRAMES = 2
"""EOS is not sampled before these many frames, as in the library."""


def uniform_numbers(seeds: Sequence[int], frames: int, device: torch.device) -> Tensor:
    """[rows, frames, 16] float64 in [0, 1): one per code, each row's from its own seed.

    A longer table begins with the shorter one's rows, so a frame's numbers do not depend on the cap. They are float32
    numbers: the largest, 1 - 2^-24, is further from 1 than a float64 sum of probabilities can be.
    """
    rows = [
        torch.rand(frames, CODEBOOKS, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)
        for seed in seeds
    ]
    return torch.stack(rows).to(device, torch.float64)


class FirstCodeRules:
    """What the library changes in the logits of codebook 0 before temperature and top_k."""

    def __init__(self, config, rows: int, repetition_penalty: float, device: torch.device) -> None:
        """config: `Qwen3TTSTalkerConfig`."""
        codes = torch.arange(config.vocab_size, device=device)
        self._silent = (codes >= config.vocab_size - CONTROL_CODES) & (codes != config.codec_eos_token_id)
        self._silent_at_first = self._silent | (codes == config.codec_eos_token_id)
        self._said = torch.zeros(rows, config.vocab_size, dtype=torch.bool, device=device)
        self._penalty = repetition_penalty

    def apply(self, logits: Tensor, frame: int) -> Tensor:
        """logits: [rows, vocabulary] → the same, float32 or wider, -inf where a code cannot follow."""
        logits = widen(logits)
        penalised = torch.where(logits < 0, logits * self._penalty, logits / self._penalty)
        silent = self._silent_at_first if frame < MIN_FRAMES else self._silent
        return torch.where(self._said, penalised, logits).masked_fill(silent, -torch.inf)

    def remember(self, codes: Tensor) -> None:
        """codes: [rows] int64, said in this frame and penalised from the next one on."""
        self._said.scatter_(1, codes[:, None], True)


def choose(scores: Tensor, uniform: Tensor, temperature: float, top_k: int, greedy: bool) -> Tensor:
    """The code that the uniform number draws; with `greedy` the most probable one, of equals the first.

    scores: [rows, vocabulary]; uniform: [rows] float64 in [0, 1), see `uniform_numbers` → [rows] int64.
    """
    return scores.argmax(dim=-1) if greedy else draw(sharpen(scores, temperature, top_k), uniform)


def sharpen(logits: Tensor, temperature: float, top_k: int) -> Tensor:
    """logits: [rows, vocabulary] → divided by the temperature, -inf below the k-th best. What ties with it stays."""
    scores = widen(logits) / temperature
    kth_best = scores.topk(min(top_k, scores.shape[-1])).values[:, -1:]
    return scores.masked_fill(scores < kth_best, -torch.inf)


def draw(scores: Tensor, uniform: Tensor) -> Tensor:
    """Inverse CDF: the first code at which the summed probability exceeds the uniform number.

    scores: [rows, vocabulary]; uniform: [rows] float64 in [0, 1), see `uniform_numbers` → [rows] int64.
    """
    probabilities = scores.softmax(dim=-1)
    summed = probabilities.cumsum(dim=-1, dtype=torch.float64)
    reached = summed > uniform[:, None] * summed[:, -1:]
    # A parallel sum can rise by rounding where nothing was added: a code of no probability must not be the first.
    return (reached & (probabilities > 0)).to(torch.uint8).argmax(dim=-1)


def widen(logits: Tensor) -> Tensor:
    """float32, or float64 where the model is float64."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
