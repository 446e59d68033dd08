"""Tiny checkpoints and clips shared by the Qwen3-TTS tests; made once per session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from qwen_tts import Qwen3TTSModel
from torch import Tensor

from spaces.qwen3_tts import QwenDraw
from tests.support.tiny_qwen import CODES
from trainable.dataset.split import ClipEntry, DatasetSplit, Role
from trainable.qwen3_tts.checkpoint.load import load_base
from trainable.qwen3_tts.data.prepared import PreparedClip, PreparedData, prompt_ids

SIZES = ("1.7b", "0.6b")
LANGUAGES = ("auto", "english")


@dataclass(frozen=True)
class Tiny:
    """A checkpoint on disk, and the same loaded. A test that changes the model gets its own with `fresh`."""

    folder: Path
    tts: Qwen3TTSModel

    def fresh(self) -> Qwen3TTSModel:
        return load_base(str(self.folder))

    def data(
        self,
        frames: tuple[int, ...] = (5, 9, 3, 7),
        texts: tuple[str, ...] = ("hi", "a line", "b", "more of it"),
        speakers: tuple[int, ...] | None = None,
        roles: tuple[Role, ...] | None = None,
    ) -> PreparedData:
        """Random codes, one clip per frame count; by default of one speaker, and all for training."""
        generator = torch.Generator().manual_seed(7)
        speakers, roles = speakers or (0,) * len(frames), roles or (Role.TRAINING,) * len(frames)
        clips = tuple(
            PreparedClip(
                text=text,
                seconds=count / 12.5,
                text_ids=prompt_ids(self.tts.processor, text)[3:-5],
                codes=torch.randint(0, CODES, (count, 16), generator=generator),
                speaker=speaker,
            )
            for count, text, speaker in zip(frames, texts, speakers, strict=True)
        )
        entries = tuple(
            ClipEntry(text=clip.text, seconds=clip.seconds, role=role, speaker=clip.speaker)
            for clip, role in zip(clips, roles, strict=True)
        )
        names = tuple(f"speaker {number}" for number in range(max(speakers) + 1))
        width = self.tts.model.config.talker_config.hidden_size
        return PreparedData(
            clips,
            prompt_ids(self.tts.processor, "x")[:3],
            torch.randn(len(names), width, generator=generator),
            DatasetSplit(entries=entries, speakers=names),
        )


def draw(**changes) -> QwenDraw:
    recipe = {
        "objective": "guide",
        "rank": 4,
        "alpha_ratio": 2,
        "lora_lr": 1e-3,
        "text_projection_lr": 0.0,
        "epochs": 2,
        "targets": "guide",
        "batch": 1,
        "accumulation": 2,
    }
    return QwenDraw(**{**recipe, **changes})


def prefill(tiny: Tiny, text: str, language: str, speaker: torch.Tensor) -> torch.Tensor:
    """The library's own prompt embeddings of one line, [positions, hidden], caught where generation would start."""

    class Caught(Exception):
        pass

    def catch(inputs_embeds, **_):
        raise Caught(inputs_embeds)

    model = tiny.tts.model
    model.talker.generate = catch
    try:
        model.generate(
            input_ids=[prompt_ids(tiny.tts.processor, text)[None]],
            voice_clone_prompt={
                "ref_code": [None],
                "ref_spk_embedding": [speaker],
                "x_vector_only_mode": [True],
                "icl_mode": [False],
            },
            languages=[language],
            non_streaming_mode=True,
        )
    except Caught as caught:
        return caught.args[0][0]
    finally:
        del model.talker.generate
    raise AssertionError("generation never started")


def assert_same_embedding(embedding: Tensor, expected: Tensor) -> None:
    """Up to rounding in float32: how weights lie in memory decides which of a processor's kernels are used."""
    tolerance = 64 * torch.finfo(torch.float32).eps * float(expected.abs().max())
    torch.testing.assert_close(embedding, expected.float(), atol=tolerance, rtol=0)
