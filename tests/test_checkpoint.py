"""A checkpoint is complete or it is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from spaces.draw import Draw
from tests.test_band import curve
from trainable.checkpoint import MARKER, State, load_weights, read_checkpoints, thin_checkpoints, write_checkpoint

DRAW = Draw(objective="guide", rank=2, alpha_ratio=1, lora_lr=1e-3, text_projection_lr=0, epochs=1, targets="linear")


def stepped(rows: int = 3) -> tuple[dict[str, torch.nn.Parameter], torch.optim.AdamW]:
    torch.manual_seed(0)
    weights = {name: torch.nn.Parameter(torch.randn(rows, 2)) for name in ("a", "b")}
    optimizer = torch.optim.AdamW(weights.values(), lr=0.1)
    for weight in weights.values():
        weight.grad = torch.randn_like(weight)
    optimizer.step()
    return weights, optimizer


def write(folder: Path, step: int = 1):
    weights, optimizer = stepped()
    point = curve(*[2.0] * (step + 1))[-1]
    state = State(draw=DRAW, seed=0, point=point, window=((1.0, 2.0, 3.0, 4.0, 5.0, 0.1),), ending=None)
    return write_checkpoint(folder, state, weights, optimizer, list(weights)), weights, optimizer


def test_everything_comes_back(tmp_path: Path) -> None:
    written, weights, optimizer = write(tmp_path)
    [read] = read_checkpoints(tmp_path)
    assert read == written
    assert all(torch.equal(read.weights()[name], weight) for name, weight in weights.items())
    _, blank = stepped(rows=3)
    blank.state.clear()
    read.restore_optimizer(blank, list(weights))
    for before, after in zip(optimizer.state.values(), blank.state.values(), strict=True):
        assert all(torch.equal(before[key], after[key]) for key in ("step", "exp_avg", "exp_avg_sq"))


def test_without_its_marker_it_is_none(tmp_path: Path) -> None:
    written, *_ = write(tmp_path, step=1)
    write(tmp_path, step=2)
    (tmp_path / "step-000002" / MARKER).unlink()
    assert [found.folder for found in read_checkpoints(tmp_path)] == [written.folder]
    with pytest.raises(FileNotFoundError, match="COMPLETE"):
        load_weights(tmp_path / "step-000002")


def test_a_half_written_one_is_in_nobodys_way(tmp_path: Path) -> None:
    write(tmp_path, step=1)
    shutil.copytree(tmp_path / "step-000001", tmp_path / ".step-000002.part")
    (tmp_path / "step-000002").mkdir()
    written, *_ = write(tmp_path, step=2)
    assert read_checkpoints(tmp_path)[-1] == written
    thin_checkpoints(tmp_path, [written])
    assert [path.name for path in tmp_path.iterdir()] == ["step-000002"]


def test_nothing_in_it_is_pickled(tmp_path: Path) -> None:
    written, *_ = write(tmp_path)
    assert {path.suffix for path in written.folder.iterdir()} == {".safetensors", ".json", ""}
