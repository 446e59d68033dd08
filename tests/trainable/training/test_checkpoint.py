"""Checkpoints are complete or ignored."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from spaces.qwen3_tts import QwenDraw
from tests.support.made_curves import curve
from trainable.family.protocol import SeatState
from trainable.training.checkpoint import (
    MARKER,
    Checkpoint,
    CheckpointState,
    load_weights,
    prune_checkpoints,
    read_checkpoints,
    write_checkpoint,
)

DRAW = QwenDraw(
    objective="guide", rank=2, alpha_ratio=1, lora_lr=1e-3, text_projection_lr=0, epochs=1, targets="linear"
)
KINDS = ("exp_avg", "exp_avg_sq")


def trained(step: int) -> SeatState:
    generator = torch.Generator().manual_seed(step)
    weights = {name: torch.randn(3, 2, generator=generator) for name in ("a", "b")}
    moments = {f"{name}.{kind}": torch.randn(3, 2, generator=generator) for name in weights for kind in KINDS}
    return SeatState(weights, moments, step)


def write(folder: Path, step: int = 1) -> Checkpoint:
    point = curve(*[2.0] * (step + 1))[-1]
    state = CheckpointState(draw=DRAW, seed=0, point=point, window=((1.0, 2.0, 3.0, 4.0, 5.0, 0.1),), ending=None)
    return write_checkpoint(folder, state, trained(step))


@pytest.mark.parametrize("step", [1, 12])
def test_a_checkpoint_is_read_as_written(tmp_path: Path, step: int) -> None:
    written = write(tmp_path, step)
    [found] = read_checkpoints(tmp_path)
    assert found == written
    read, expected = found.read(), trained(step)
    assert read.step == step
    for ours, theirs in ((read.weights, expected.weights), (read.moments, expected.moments)):
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_folder_without_its_marker_is_not_a_checkpoint(tmp_path: Path) -> None:
    written = write(tmp_path, step=1)
    write(tmp_path, step=2)
    (tmp_path / "step-000002" / MARKER).unlink()
    assert [found.folder for found in read_checkpoints(tmp_path)] == [written.folder]
    with pytest.raises(FileNotFoundError, match="COMPLETE"):
        load_weights(tmp_path / "step-000002")


def test_an_unfinished_checkpoint_is_replaced_and_pruned(tmp_path: Path) -> None:
    write(tmp_path, step=1)
    shutil.copytree(tmp_path / "step-000001", tmp_path / ".step-000002.part")
    (tmp_path / "step-000002").mkdir()
    written = write(tmp_path, step=2)
    assert read_checkpoints(tmp_path)[-1] == written
    prune_checkpoints(tmp_path, [written.folder])
    assert [path.name for path in tmp_path.iterdir()] == ["step-000002"]


def test_nothing_is_pickled(tmp_path: Path) -> None:
    written = write(tmp_path)
    assert {path.suffix for path in written.folder.iterdir()} == {".safetensors", ".json", ""}
