"""A Qwen3-TTS for one trial: the frozen base with LoRA and text_projection by PEFT, and the prepared data."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from peft import PeftModel
from qwen_tts import Qwen3TTSModel
from torch import Tensor

from spaces.probe_settings import Sampling
from spaces.qwen3_tts import LOSSES, QwenDraw
from trainable.dataset.split import Role
from trainable.family.export_request import ExportRequest
from trainable.family.protocol import ClipLosses, SpeechPrompt, Utterance
from trainable.qwen3_tts.data.prepared import PreparedData
from trainable.qwen3_tts.export.layouts import export_adapter
from trainable.qwen3_tts.generation.logits import teacher_forced_logits
from trainable.qwen3_tts.generation.speech import speak, takes_instructions
from trainable.qwen3_tts.model.codec_io import decode_codes, speaker_embedding
from trainable.qwen3_tts.model.frame_sampling import sample_frames
from trainable.qwen3_tts.model.lora import TEXT_PROJECTION, adapter_tensors
from trainable.qwen3_tts.model.losses import clip_losses, training_loss
from trainable.qwen3_tts.model.precision import mixed_precision
from trainable.qwen3_tts.model.prompt import build_layout, think_prefix


class QwenLearner:
    """See `trainable.family.protocol.Learner`."""

    loss_parts = tuple(LOSSES)

    def __init__(
        self,
        tts: Qwen3TTSModel,
        data: PreparedData,
        language: str,
        peft: PeftModel | None,
        draw: QwenDraw | None = None,
        seed: int = 0,
    ) -> None:
        """peft, draw: None for the base model itself.

        Raises InputError for a language that the model does not know.
        """
        think_prefix(tts.model.config, language)
        self.peft = peft
        self.split = data.split
        self.takes_instructions = takes_instructions(tts)
        self._tts, self._data, self._language = tts, data, language
        self._draw, self._seed = draw, seed
        self._device = tts.model.device
        self._speaker = data.speakers[0].to(self._device)

    def parameter_groups(self, draw: QwenDraw) -> list[dict]:
        trained = {name: value for name, value in self.tensors().items() if value.requires_grad}
        lora = [value for name, value in trained.items() if TEXT_PROJECTION not in name]
        projection = [value for name, value in trained.items() if TEXT_PROJECTION in name]
        groups = [{"name": "lora", "params": lora, "lr": draw.lora_lr}]
        if projection:
            groups.append({"name": TEXT_PROJECTION, "params": projection, "lr": draw.text_projection_lr})
        return groups

    def losses(self, clips: Sequence[int], step: int) -> ClipLosses:
        chosen = [self._data.clips[clip] for clip in clips]
        talker, sampled = self._tts.model.talker, None
        if talker.training and self._draw is not None:
            row_ids = [(self._seed, step, clip) for clip in clips]
            sampled = sample_frames([len(clip.codes) for clip in chosen], row_ids, [self._draw.sub_frames] * len(clips))
        layout = build_layout(self._tts.model.config, chosen, self._data.role_ids, self._language, sampled)
        speakers = self._data.speakers[[clip.speaker for clip in chosen]].to(self._device)
        with mixed_precision(self._tts.model):
            parts = clip_losses(talker, layout.to(self._device), speakers)
        return ClipLosses(parts, training_loss(parts, self._draw) if self._draw is not None else parts["aligned"])

    def train(self) -> None:
        self._tts.model.talker.train()

    def eval(self) -> None:
        self._tts.model.talker.eval()

    def tensors(self) -> dict[str, Tensor]:
        return adapter_tensors(self.peft) if self.peft is not None else {}

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        own = self.tensors()
        if own.keys() != tensors.keys():
            different = sorted(own.keys() ^ tensors.keys())
            raise KeyError(f"expected the weights of this draw's adapter, got another set: {different[0]} differs")
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(tensors[name])

    def speak(self, prompts: Sequence[SpeechPrompt], sampling: Sampling) -> list[Utterance]:
        return speak(self._tts, self._speaker, self._language, prompts, sampling)[0]

    def teacher_forced_logits(self, text: str, codes: np.ndarray) -> np.ndarray:
        return teacher_forced_logits(self._tts, self._speaker, self._language, text, codes)

    def export(self, request: ExportRequest, folder: Path) -> None:
        """Writes the adapter for inference with the first speaker's embedding. Raises ValueError for the base alone."""
        if self.peft is None:
            raise ValueError("expected a trained adapter to export, got the base model alone")
        samples = sum(entry.role is Role.TRAINING for entry in self.split.entries)
        export_adapter(self.peft, self._data.speakers[0], self._language, samples, request, folder)

    def ground_truth(self, clip: int) -> np.ndarray:
        return decode_codes(self._tts, self._data.clips[clip].codes)

    def speaker_embedding(self, wave: np.ndarray) -> np.ndarray:
        return speaker_embedding(self._tts, wave)
