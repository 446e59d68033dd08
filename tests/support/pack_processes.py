"""Work with packs in other processes. They leave files, which the test reads."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.distributed as dist

from spaces.records.trial_spec import TrialSpec
from tests.support.pack_runs import clips, draw, drive, job, shape_of
from tests.support.qwen_fixtures import Tiny
from trainable.family.process_group import ProcessGroup
from trainable.qwen3_tts.checkpoint.load import load_base
from trainable.qwen3_tts.packed.pack import QwenPack
from trainable.training.events import Event, Finished, Progress

TIMEOUT_SECONDS = 180
"""After which a process is taken to hang."""
CLIPS = 11
"""Odd: steps of several clips do not divide an epoch, and two processes do not divide its last step evenly."""
FRAMES = {"even": (4,), "uneven": (5, 2, 8, 1, 3)}
"""Of the clips, in turn. Padding is the same in any company, or depends on the trials beside."""
DRAWS = {
    "dropped": draw(
        rank=8, targets="all-linear", dropout=0.2, sub_frames=0.5, text_projection_lr=1e-3, accumulation=4, epochs=2
    ),
    "pairs": draw(rank=2, batch=2, epochs=2, objective="aligned", warmup=4),
    "clips": draw(rank=16, targets="linear", dropout=0.1, epochs=2),
}
CUT = 5
"""Step at which a trial is interrupted. It has three steps in an epoch, and its last checkpoint is at step 3."""


def in_processes(run: Callable[..., None], arguments: Sequence[tuple]) -> None:
    """Starts one process for each of the arguments, all at once. Fails if any of them fails or hangs."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=run, args=each, daemon=True) for each in arguments]
    for process in processes:
        process.start()
    try:
        for process in processes:
            process.join(TIMEOUT_SECONDS)
        assert [process.exitcode for process in processes] == [0] * len(processes)
    finally:
        for process in processes:
            process.kill()


def train_together(
    tiny: Tiny,
    frames: str,
    jobs: Sequence[TrialSpec],
    batch: int = 1,
    until: tuple[str, int] | None = None,
    dtype: torch.dtype = torch.float32,
) -> list[Event]:
    """Trains these trials side by side, each in the seat of its index; see `drive`."""
    tts = tiny.fresh()
    tts.model.to(dtype)
    shape = shape_of(tuple(DRAWS.values()), batch)
    pack = QwenPack(tts, clips(tiny, CLIPS, FRAMES[frames]), "auto", shape, len(jobs), ProcessGroup())
    return drive(pack, jobs, until=until)


def resume_elsewhere(model: Path, folder: Path) -> None:
    """Resumes the trials that were interrupted in their third seat, in the first seat and beside other trials."""
    torch.set_num_threads(1)
    tiny = Tiny(model, load_base(str(model)))
    for frames in FRAMES:
        others = [job(folder / frames / f"later {name}", DRAWS[name]) for name in ("clips", "pairs")]
        train_together(tiny, frames, [job(folder / frames / "cut", DRAWS["dropped"]), *others])


def group_member(rank: int, model: Path, folder: Path) -> None:
    """One of two processes: trains everything in its own folder, then one trial in two attempts in a shared folder."""
    torch.set_num_threads(1)
    own = folder / f"member {rank}"
    own.mkdir()
    os.chdir(own)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    tiny, dtype = Tiny(model, load_base(str(model))), torch.float64
    events = train_together(tiny, "uneven", [job(Path(name), chosen) for name, chosen in DRAWS.items()], dtype=dtype)
    resumed, beside = job(folder / "resumed", DRAWS["dropped"]), job(folder / "beside", DRAWS["pairs"])
    events += train_together(tiny, "uneven", [resumed], until=("resumed", CUT), dtype=dtype)
    events += train_together(tiny, "uneven", [beside, resumed], dtype=dtype)
    dist.destroy_process_group()
    (folder / f"told {rank}.json").write_text(json.dumps([_without_times(event) for event in events]))


def _without_times(event: Event) -> dict:
    point = event.point if isinstance(event, Progress) else event.outcome.point
    kind = event.phase if isinstance(event, Progress) else event.outcome.ending
    rest = point.model_dump(mode="json", exclude={"seconds", "gpu_seconds"})
    return {"trial": event.trial, "is": kind, "finished": isinstance(event, Finished), **rest}
