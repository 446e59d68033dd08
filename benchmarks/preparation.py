"""Preparing a dataset: time against encoding clip by clip, time with a warm cache, and memory.

    python -m benchmarks.preparation [--clips 5000] [--codec mel|mimi]

Each row is a new process with one thread; the time of its imports is given separately. Preparation starts worker
processes where that pays. The baseline loads the codec and encodes file by file without a cache, like the official
preparation script but without its batches. Clips are synthetic, three seconds each, all different. `mel` is the demo's
codec; `mimi` is a tiny one of the real model's class, and slower.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import psutil
import soundfile
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe_machine
from spaces.data_settings import DataSettings
from trainable.dataset.clip import Clip, Speaker, VoiceDataset
from trainable.dataset.encoding_plan import EncodingPlan, plan_encoding
from trainable.dataset.measure import measure_all
from trainable.speech.audio import SAMPLE_RATE

CHECKPOINT = Path(__file__).parent.parent / "demo" / "checkpoint"
MEMORY_LIMIT = 2 << 30
MIB = 1 << 20
CLIP_SECONDS = 3
SAMPLE_SECONDS = 0.2


class CodecKind(StrEnum):
    MEL = "mel"
    MIMI = "mimi"


@dataclass(frozen=True)
class Cost:
    """Time and memory of one process."""

    seconds: float
    """Without its imports."""
    imports: float
    """Seconds until it could begin."""
    memory: int
    """Peak bytes of the process and its workers together."""


def bench(
    clips: Annotated[int, typer.Option(min=10)] = 5000,
    codec: Annotated[CodecKind, typer.Option(help="the demo's codec, or a tiny one of the real class")] = CodecKind.MEL,
) -> None:
    """Print the table."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        model = CHECKPOINT if codec is CodecKind.MEL else _tiny(root / "model")
        paths = _make_clips(root / "clips", clips)
        cache, plan = root / "cache", _plan(paths, root)
        costs = {"clip by clip, no cache": _measure(_encode_plainly, model, paths, root / "codes.jsonl")}
        costs["prepare"] = _measure(_prepare, plan, model, root / "first", cache)
        costs["again, for another search"] = _measure(_prepare, plan, model, root / "second", cache)
        costs["again, for the same search"] = _measure(_prepare, plan, model, root / "second", cache)
        _write_clip(paths[clips // 2], clips)
        costs["one clip changed"] = _measure(_prepare, _plan(paths, root), model, root / "third", cache)
    plain = next(iter(costs.values()))
    columns = ("", "seconds", "clips/s", "times", "imports", "MiB")
    table = Table(*columns, title=f"preparing {clips} clips of {CLIP_SECONDS} s, codec {codec}")
    for name, cost in costs.items():
        speed, times = f"{clips / cost.seconds:.0f}", f"{plain.seconds / cost.seconds:.1f}"
        table.add_row(name, f"{cost.seconds:.2f}", speed, times, f"{cost.imports:.1f}", f"{cost.memory / MIB:.0f}")
    within = "within" if max(cost.memory for cost in costs.values()) < MEMORY_LIMIT else "MORE than"
    Console().print(table, f"Memory is {within} 2 GiB, workers included.", describe_machine(), sep="\n")


def _measure(work: Callable[..., float], *given: Any) -> Cost:
    started, most = time.perf_counter(), 0
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=_send_times, args=(its, work, *given))
    process.start()
    while process.is_alive():
        most = max(most, _memory_of(process.pid))
        process.join(SAMPLE_SECONDS)
    if process.exitcode:
        raise RuntimeError(f"{work.__name__} ended with {process.exitcode}")
    began, ended = mine.recv()
    return Cost(ended - began, began - started, most)


def _send_times(pipe: Connection, work: Callable[..., float], *given: Any) -> None:
    pipe.send((work(*given), time.perf_counter()))


def _memory_of(pid: int) -> int:
    """Sum of proportional set sizes: shared memory counts once."""
    held = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                held += each.memory_full_info().pss
    return held


def _encode_plainly(model: Path, paths: list[Path], out: Path) -> float:
    """Returns when it began, after the imports."""
    import torch
    from qwen_tts import Qwen3TTSTokenizer

    from trainable.qwen3_tts import mel_codec

    began = time.perf_counter()
    torch.set_num_threads(1)
    mel_codec.register()
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    tokenizer = Qwen3TTSTokenizer.from_pretrained(str(model / "speech_tokenizer"), device_map=device)
    with out.open("w", encoding="utf-8") as file:
        for path in paths:
            codes = tokenizer.encode(str(path)).audio_codes[0].cpu().tolist()
            file.write(json.dumps({"audio": str(path), "audio_codes": codes}) + "\n")
    return began


def _prepare(plan: EncodingPlan, model: Path, folder: Path, cache: Path) -> float:
    """Returns when it began, after the imports."""
    import torch

    from trainable.family.protocol import load_family

    torch.set_num_threads(1)
    family = load_family("trainable.qwen3_tts.family")
    began = time.perf_counter()
    findings = family.prepare(plan, str(model), folder, cache, lambda done, of: None)
    if not (folder / "prepared.json").is_file():
        raise RuntimeError(f"expected prepared data, got {findings}")
    return began


def _tiny(folder: Path) -> Path:
    from tests.support.tiny_qwen import make_tiny_qwen

    return make_tiny_qwen(folder)


def _make_clips(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"clip_{number:05d}.wav" for number in range(count)]
    for number, path in enumerate(paths):
        _write_clip(path, number)
    return paths


def _write_clip(path: Path, seed: int) -> None:
    """A gliding buzz with noise."""
    chance, samples = np.random.default_rng(seed), CLIP_SECONDS * SAMPLE_RATE
    pitch = np.linspace(*chance.uniform(80, 300, 2), samples)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    wave = sum(np.sin(part * phase) / part for part in range(1, 6)) * 0.15
    soundfile.write(path, wave + chance.normal(0, 0.01, samples), SAMPLE_RATE)


def _plan(paths: list[Path], root: Path) -> EncodingPlan:
    measures = measure_all(paths, root / "measures", lambda done, of: None)
    clips = tuple(Clip(path, f"line number {number}", measures[path], path.name) for number, path in enumerate(paths))
    dataset = VoiceDataset((str(root),), (1.0,), clips, (Speaker("", 0, clips[0]),))
    return plan_encoding(dataset, DataSettings(), seed=0)


if __name__ == "__main__":
    typer.run(bench)
