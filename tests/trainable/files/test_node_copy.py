"""A model's folder is copied to a node once, however many processes ask for it."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from pathlib import Path

import pytest

from trainable.files import node_copy as module
from trainable.files.node_copy import VARIABLE, node_copy

WEIGHTS = b"w" * 100_000


@pytest.fixture
def model(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "node"))
    (tmp_path / "model" / "codec").mkdir(parents=True)
    for name in ("model.safetensors", "codec/model.safetensors"):
        (tmp_path / "model" / name).write_bytes(WEIGHTS)
    return tmp_path / "model"


def copies(model: Path) -> list[Path]:
    return [path for path in (model.parent / "node" / "models").iterdir() if path.is_dir()]


def test_without_the_variable_nothing_is_copied(model, monkeypatch):
    monkeypatch.delenv(VARIABLE)
    assert node_copy(model) == model and not (model.parent / "node").exists()


def test_concurrent_processes_get_one_copy(model):
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        (copy,) = set(pool.map(node_copy, [model] * 8))
    assert copies(model) == [copy]
    assert (copy / "codec" / "model.safetensors").read_bytes() == WEIGHTS
    inode = (copy / "model.safetensors").stat().st_ino
    assert node_copy(model) == copy and (copy / "model.safetensors").stat().st_ino == inode


def test_a_changed_model_is_copied_again_and_an_unfinished_copy_is_not_used(model):
    first = node_copy(model)
    (model / "model.safetensors").write_bytes(WEIGHTS[1:])
    os.utime(model / "model.safetensors", ns=(1, 1))
    second = node_copy(model)
    assert first != second and (second / "model.safetensors").read_bytes() == WEIGHTS[1:]
    half = second.with_name(f".{second.name}.part")
    second.rename(half)
    (half / "model.safetensors").unlink()
    assert (node_copy(model) / "model.safetensors").read_bytes() == WEIGHTS[1:] and not half.exists()


def test_on_a_full_disk_the_model_is_read_where_it_is(model, monkeypatch):
    full = shutil._ntuple_diskusage(total=1e6, used=1e6, free=1)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: full)
    assert node_copy(model) == model and copies(model) == []
