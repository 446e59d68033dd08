"""The two ways to train an adapter that are compared: a pack, and plain PEFT."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from spaces.qwen3_tts import QwenDraw, QwenPackShape
from tests.support.tiny_qwen import CODES, Depth, make_tiny_qwen
from trainable.dataset.split import ClipEntry, DatasetSplit
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Batch, Pack
from trainable.qwen3_tts.checkpoint.load import load_base
from trainable.qwen3_tts.data.prepared import PreparedClip, PreparedData
from trainable.qwen3_tts.learner import QwenLearner
from trainable.qwen3_tts.model.lora import attach_lora
from trainable.qwen3_tts.packed.pack import QwenPack
from trainable.training.single_seat import SingleSeatPack

RECIPE = QwenDraw(
    objective="aligned",
    rank=16,
    alpha_ratio=1,
    lora_lr=1e-4,
    text_projection_lr=1e-6,
    epochs=1,
    targets="linear",
    batch=1,
    accumulation=1,
)
SHAPE = QwenPackShape.from_draw(RECIPE)


@dataclass(frozen=True)
class Shape:
    """A model, and the clip it is trained on."""

    description: str
    depth: Depth
    frames: int


SHAPES = {
    "launch": Shape("28 + 5 layers, width 64, 4 frames", Depth(28, 64, 5), 4),
    "larger": Shape("8 + 2 layers, width 512, 60 frames", Depth(8, 512, 2), 60),
}


@contextmanager
def contestants(shape: Shape) -> Iterator[tuple[SingleSeatPack, QwenPack]]:
    """A trial trained by PEFT and torch's AdamW, and a pack of one seat; each with its own base."""
    with TemporaryDirectory() as folder:
        make_tiny_qwen(Path(folder), depth=shape.depth)
        data = _data(shape)
        tts = load_base(folder)
        learner = QwenLearner(tts, data, "auto", attach_lora(tts.model.talker, RECIPE, 0))
        peft = SingleSeatPack(learner, RECIPE, ProcessGroup())
        peft.join(0, RECIPE, 0)
        yield peft, QwenPack(load_base(folder), data, "auto", SHAPE, 1, ProcessGroup())


def fill(pack: QwenPack, seats: int) -> None:
    """Gives the pack so many seats, all taken."""
    pack.allocate(seats)
    for seat in range(seats):
        pack.join(seat, RECIPE, 0)


def forward_and_backward(pack: Pack, seats: int) -> None:
    pack.accumulate({seat: Batch([0], step=1, weight=1.0) for seat in range(seats)})


def step(pack: Pack, seats: int) -> None:
    """A forward and a backward pass over one clip, clipping and AdamW, for every seat."""
    forward_and_backward(pack, seats)
    pack.step(dict.fromkeys(range(seats), 1.0))


def _data(shape: Shape) -> PreparedData:
    generator = torch.Generator().manual_seed(0)
    clip = PreparedClip(
        text="x",
        seconds=shape.frames / 12.5,
        text_ids=torch.tensor([5]),
        codes=torch.randint(0, CODES, (shape.frames, 16), generator=generator),
    )
    speakers = torch.randn(1, shape.depth.width, generator=generator)
    split = DatasetSplit(entries=(ClipEntry(text=clip.text, seconds=clip.seconds),))
    return PreparedData((clip,), torch.tensor([1, 2, 3]), speakers, split)
