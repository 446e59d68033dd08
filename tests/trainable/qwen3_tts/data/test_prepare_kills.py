"""Preparation in several processes at once, and in killed ones: nothing is repeated, lost or damaged."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import psutil
import pytest
import torch

from tests.support.encoding_plans import CHECKPOINT, demo_clips, plan_of
from tests.support.prepare_process import Preparing
from trainable.qwen3_tts import family
from trainable.qwen3_tts.data import encode
from trainable.qwen3_tts.data import prepare as preparation
from trainable.qwen3_tts.data.code_store import CodeStore
from trainable.qwen3_tts.data.encode import CHUNK
from trainable.qwen3_tts.data.prepared import PreparedData, read_prepared

CLIPS = 40
TIMEOUT_SECONDS = 60


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    """The prepared data of one undisturbed process."""
    folder = tmp_path_factory.mktemp("whole")
    assert prepare(folder) == list(range(CLIPS + 1))
    return read_prepared(folder / "run")


def prepare(folder: Path) -> list[int]:
    """Prepares in this process. Returns the numbers of items done that were reported."""
    told: list[int] = []
    plan = plan_of(demo_clips(CLIPS))
    preparation.prepare(plan, CHECKPOINT, folder / "run", folder / "cache", lambda done, of: told.append(done))
    return told


def assert_same(folder: Path, whole: PreparedData) -> None:
    data = read_prepared(folder)
    assert data.split == whole.split
    assert torch.equal(data.speakers, whole.speakers) and torch.equal(data.role_ids, whole.role_ids)
    for clip, other in zip(data.clips, whole.clips, strict=True):
        assert (clip.text, clip.seconds, clip.speaker) == (other.text, other.seconds, other.speaker)
        assert torch.equal(clip.text_ids, other.text_ids) and torch.equal(clip.codes, other.codes)


def stored(cache: Path) -> set[str]:
    keys = {item.key for item in plan_of(demo_clips(CLIPS)).items}
    (folder,) = (cache / "codes").iterdir()
    return set(CodeStore(folder).read(keys))


@pytest.mark.parametrize(
    "options", [(), pytest.param(("--workers",), marks=pytest.mark.soak)], ids=["alone", "with workers"]
)
def test_two_at_once_share_the_work(tmp_path: Path, whole: PreparedData, options: tuple[str, ...]) -> None:
    both = [Preparing(tmp_path / name, tmp_path / "cache", CLIPS, *options) for name in ("one", "other")]
    for each in both:
        each.wait_for("ready")
    for each in both:
        each.go()
    counts = [each.wait_for("encoded") for each in both]
    assert sum(counts) == CLIPS
    for name in ("one", "other"):
        assert_same(tmp_path / name, whole)


def test_a_killed_preparation_is_resumed(tmp_path: Path, whole: PreparedData) -> None:
    first = Preparing(tmp_path / "run", tmp_path / "cache", CLIPS, "--stop-at", "25")
    first.begin()
    first.wait_for("done", 25)
    first.kill()
    kept = stored(tmp_path / "cache")
    assert 25 - CHUNK <= len(kept) < 25
    assert not (tmp_path / "run").exists()
    assert prepare(tmp_path) == list(range(len(kept), CLIPS + 1))
    assert_same(tmp_path / "run", whole)


def test_a_waiting_process_takes_over_from_a_killed_one(tmp_path: Path, whole: PreparedData) -> None:
    one = Preparing(tmp_path / "one", tmp_path / "cache", CLIPS, "--stop-at", "10")
    one.begin()
    one.wait_for("done", 10)
    kept = stored(tmp_path / "cache")
    other = Preparing(tmp_path / "other", tmp_path / "cache", CLIPS)
    other.begin()
    while other.wait_for("done") < CLIPS - 5:
        pass
    one.kill()
    assert other.wait_for("encoded") == CLIPS - len(kept)
    assert_same(tmp_path / "other", whole)


def test_workers_exit_with_their_parent(tmp_path: Path, whole: PreparedData) -> None:
    first = Preparing(tmp_path / "run", tmp_path / "cache", CLIPS, "--workers", "--stop-at", "6")
    first.begin()
    worker = psutil.Process(first.wait_for("worker"))
    first.kill()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, worker
        time.sleep(0.1)
    prepare(tmp_path)
    assert_same(tmp_path / "run", whole)


def test_a_killed_worker_loses_nothing(tmp_path: Path, whole: PreparedData) -> None:
    preparing = Preparing(tmp_path / "run", tmp_path / "cache", CLIPS, "--workers")
    preparing.begin()
    psutil.Process(preparing.wait_for("worker")).kill()
    assert preparing.wait_for("encoded") == CLIPS
    assert_same(tmp_path / "run", whole)


def test_workers_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(demo_clips(20))
    family.prepare(plan, str(CHECKPOINT), tmp_path / "alone", tmp_path / "cache", lambda done, of: None)
    shutil.rmtree(tmp_path / "cache")
    monkeypatch.setattr(encode, "WORKERS_FROM_SECONDS", 0.0)
    monkeypatch.setattr(encode, "_worker_count", lambda device_type: 2)
    family.prepare(plan, str(CHECKPOINT), tmp_path / "with workers", tmp_path / "cache", lambda done, of: None)
    for path in (tmp_path / "alone").iterdir():
        assert (tmp_path / "with workers" / path.name).read_bytes() == path.read_bytes()
