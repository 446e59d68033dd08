"""What a bench keeps free on its GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from search.benches.worker import _reserve_for
from search.driver import bench_spec
from search.planning.execution_mode import ExecutionMode
from search.planning.layout import lay_out_benches
from search.planning.resources import Resources
from tests.support.toy_search import toy_plan
from trainable.speech.asr import checkpoint_recogniser
from trainable.speech.background.memory import gpu_bytes

LARGE = "openai/whisper-large-v3"


def test_the_recogniser_of_the_space_is_kept_room_for_wherever_a_bench_starts(tmp_path: Path) -> None:
    layout = lay_out_benches(Resources(cpus=2, gpus=1, memory=8e9), ExecutionMode(), 8)
    plan = toy_plan(tmp_path)
    assert bench_spec(plan, layout).recogniser == plan.space.probe.recogniser


def test_a_recogniser_that_a_task_left_on_the_gpu_is_unloaded_and_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _reserve_for(LARGE) == 0, "there is no GPU here"
    unloaded: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(checkpoint_recogniser.open_checkpoint, "cache_clear", lambda: unloaded.append("all"))
    assert _reserve_for(LARGE) == gpu_bytes(LARGE) and unloaded == ["all"]
    assert _reserve_for("pocketsphinx") == 0
