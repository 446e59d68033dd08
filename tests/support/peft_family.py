"""PEFT's LoRA with the project's dropout masks, so that a trial by PEFT can be compared with one in a pack."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from spaces.qwen3_tts import QwenDraw
from tests.support.qwen_fixtures import Tiny
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Batch
from trainable.qwen3_tts.data.prepared import PreparedData
from trainable.qwen3_tts.learner import QwenLearner
from trainable.qwen3_tts.model import dropout
from trainable.qwen3_tts.model.frame_sampling import sample_frames
from trainable.qwen3_tts.model.lora import attach_lora
from trainable.qwen3_tts.model.prompt import build_layout
from trainable.stopping.curve import ClipRow
from trainable.training.single_seat import SingleSeatPack

CPU = torch.device("cpu")


class PassNoise:
    """The dropout noise of the current forward pass."""

    def __init__(self, config, data: PreparedData, seed: int, sub_frames: float) -> None:
        self._config, self._data, self._seed, self._sub_frames = config, data, seed, sub_frames

    def begin(self, batch: Batch) -> None:
        """Sets the batch of the pass. It is alone, padded to its own longest clip."""
        clips = [self._data.clips[clip] for clip in batch.clips]
        row_ids = [(self._seed, batch.step, clip) for clip in batch.clips]
        sampled = sample_frames([len(clip.codes) for clip in clips], row_ids, [self._sub_frames] * len(clips))
        layout = build_layout(self._config, clips, self._data.role_ids, "auto", sampled)
        rows, positions = layout.text_ids.shape
        keys = dropout.row_keys(row_ids, CPU)
        self._talker = keys, torch.arange(positions).expand(rows, positions)
        scored = layout.scored
        self._predictor = keys[layout.frame_clip[scored]], layout.frame_position[scored, None] * 16 + torch.arange(16)

    def noise(self, is_predictor: bool, width: int) -> Tensor:
        return dropout.noise(*(self._predictor if is_predictor else self._talker), width)


class InjectedDropout(nn.Module):
    """Replaces one of PEFT's `lora_dropout` modules."""

    def __init__(self, noise: PassNoise, module: str, probability: float) -> None:
        super().__init__()
        self._noise, self._module, self._probability = noise, module, probability

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        bits = self._noise.noise(self._module.startswith("code_predictor."), x.shape[-1])
        probability = torch.tensor(self._probability)
        keep = dropout.keep_mask(bits, dropout.layer_factor(self._module), dropout.threshold(probability))
        assert keep.shape == x.shape
        return x * keep / (1 - self._probability)


class PeftPack(SingleSeatPack):
    """A trial by PEFT and torch's AdamW. Only its dropout masks are ours."""

    def __init__(self, learner: QwenLearner, draw: QwenDraw, process_group: ProcessGroup, noise: PassNoise) -> None:
        super().__init__(learner, draw, process_group)
        self._noise = noise

    def losses(self, batches: Mapping[int, Batch]) -> dict[int, list[ClipRow]]:
        self._noise.begin(batches[0])
        return super().losses(batches)

    def accumulate(self, batches: Mapping[int, Batch]) -> dict[int, list[ClipRow]]:
        self._noise.begin(batches[0])
        return super().accumulate(batches)


def separate(
    tiny: Tiny,
    data: PreparedData,
    draw: QwenDraw,
    seed: int,
    weights: Mapping[str, Tensor],
    dtype: torch.dtype = torch.float32,
) -> PeftPack:
    """A separate model for this draw, with these initial weights."""
    tts = tiny.fresh()
    tts.model.to(dtype)
    talker = tts.model.talker
    peft = attach_lora(talker, draw, seed)
    talker.to(dtype)
    noise = PassNoise(tts.model.config, data, seed, draw.sub_frames)
    for name, module in talker.named_modules():
        if isinstance(module, LoraLayer):
            module.lora_dropout["default"] = InjectedDropout(noise, name, draw.dropout)
    learner = QwenLearner(tts, data, "auto", peft, draw, seed)
    learner.load_tensors(weights)
    return PeftPack(learner, draw, ProcessGroup(), noise)
