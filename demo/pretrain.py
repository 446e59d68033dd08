"""The pre-training loop: a fixed number of steps, resumable. Uninterrupted runs of a seed give the same weights."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from qwen_tts.core.models.modeling_qwen3_tts import Qwen3TTSForConditionalGeneration
from torch import nn

from demo.batches import BatchMaker
from demo.loss import losses, with_noise
from trainable.files.atomic import atomic_file

WARMUP_STEPS = 100
LAST_RATE = 0.02
"""Of the peak learning rate, at the end."""
ENCODER_RATE = 0.2
"""Of the talker's learning rate. The speaker encoder has no normalisation layers and diverges at the full rate."""
SUB_SHARE = 0.25
SAVE_EVERY = 500
REPORT_EVERY = 100


@dataclass(frozen=True)
class PretrainingProgress:
    """Mean losses over the last 100 steps. cpu_seconds: of this process, since it started or resumed."""

    step: int
    talker: float
    sub: float
    cpu_seconds: float


def rate_at(step: int, steps: int, peak: float) -> float:
    """The learning rate: a short warm-up, the peak until half of the steps, then a linear decay."""
    if step < WARMUP_STEPS:
        return peak * (step + 1) / WARMUP_STEPS
    return peak * min(1.0, max(LAST_RATE, 2.0 * (1.0 - step / steps)))


def pretrain(
    model: Qwen3TTSForConditionalGeneration,
    batches: BatchMaker,
    steps: int,
    peak_rate: float,
    seed: int,
    state: Path,
    report: Callable[[PretrainingProgress], None],
) -> None:
    """Trains every weight of `model` in place.

    state: the file that keeps the run. If it exists, the run resumes with the next epoch.
    """
    codebook_size = model.config.talker_config.code_predictor_config.vocab_size
    encoder = set(model.speaker_encoder.parameters())
    others = [weight for weight in model.parameters() if weight not in encoder]
    optimizer = torch.optim.AdamW(
        [{"params": others, "share": 1.0}, {"params": list(model.speaker_encoder.parameters()), "share": ENCODER_RATE}],
        lr=peak_rate,
        betas=(0.9, 0.98),
        weight_decay=0.02,
    )
    step, epoch = 0, 0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step, epoch = saved["step"], saved["epoch"]
    model.train()
    recent: list[tuple[float, float]] = []
    started = time.process_time()
    while step < steps:
        rng = random.Random(f"{seed}-{epoch}")
        torch.manual_seed(seed + epoch)
        epoch += 1
        for batch in batches.epoch(rng):
            loss = losses(model, with_noise(batch, codebook_size), batch, SUB_SHARE)
            optimizer.zero_grad()
            loss.total.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for group in optimizer.param_groups:
                group["lr"] = group["share"] * rate_at(step, steps, peak_rate)
            optimizer.step()
            step += 1
            recent = [*recent[-(REPORT_EVERY - 1) :], (loss.talker.item(), loss.sub.item())]
            if step % REPORT_EVERY == 0:
                talker, sub = (sum(column) / len(recent) for column in zip(*recent, strict=True))
                report(PretrainingProgress(step, talker, sub, time.process_time() - started))
            if step % SAVE_EVERY == 0:
                save_state(state, model, optimizer, step, epoch)
            if step == steps:
                return


def save_state(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int, epoch: int) -> None:
    """Writes the state; a kill leaves the old one or the new one."""
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "epoch": epoch}
    with atomic_file(path) as part:
        torch.save(state, part)
