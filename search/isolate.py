"""A trial by itself: one `TorchTrainer` per trial. The plain mode, and the fallback for whatever cannot be packed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from search.failure import root_reason, settle
from search.machine import Machine
from search.report import JOB, Report
from spaces.ending import Ending
from spaces.job import Job
from spaces.trial import Phase, Point

RESTARTS = 2
"""How often Ray Train starts a trial's process again, from the last checkpoint, before the trial has failed."""
REPORT_SECONDS = 0.5
"""A report waits for its reader, so a fast loop skips those that nobody could see anyway."""
TRIAL = "trial"
STOP = "stop"
THREADS = "threads"


def config_of(job: Job, stop_file: Path) -> dict[str, Any]:
    """What Tune hands to a trial's function."""
    return {TRIAL: job.trial, JOB: job.model_dump_json(), STOP: str(stop_file)}


def trial_function(machine: Machine, bookkeeping: Path) -> Callable[[dict[str, Any]], None]:
    """The function that Ray Tune runs for every trial. `bookkeeping` is a folder that every node reaches."""
    resources, use_gpu, threads = machine.worker, machine.has_gpu, machine.threads

    def trial(config: dict[str, Any]) -> None:
        from ray import tune
        from ray.train import FailureConfig, RunConfig, ScalingConfig, WorkerGroupError
        from ray.train.torch import TorchTrainer
        from ray.tune.integration.ray_train import TuneReportCallback

        job = Job.model_validate_json(config[JOB])
        trainer = TorchTrainer(
            train,
            train_loop_config={**config, THREADS: threads},
            scaling_config=ScalingConfig(num_workers=1, use_gpu=use_gpu, resources_per_worker=resources),
            run_config=RunConfig(
                name=f"train-{job.trial}",
                storage_path=str(bookkeeping),
                callbacks=[TuneReportCallback()],
                failure_config=FailureConfig(max_failures=RESTARTS),
            ),
        )
        try:
            trainer.fit()
        except WorkerGroupError as error:
            settle(job, Ending.FAILED, root_reason(error))
        outcome = settle(job, Ending.FAILED, "its loop came to an end without an outcome")
        tune.report({TRIAL: job.trial, "ending": outcome.ending.value, "accepted": outcome.accepted})

    return trial


def train(config: dict[str, Any]) -> None:
    """The Ray Train worker's part: runs the loop and passes its curve on."""
    import ray.train
    import torch

    from trainable.loop import run_trial

    torch.set_num_threads(config[THREADS])
    job, stop_file = Job.model_validate_json(config[JOB]), Path(config[STOP])
    said = -REPORT_SECONDS

    def on_point(point: Point, phase: Phase) -> None:
        nonlocal said
        if phase is Phase.TRAINING and time.monotonic() - said < REPORT_SECONDS:
            return
        ray.train.report(Report(job, point, phase).as_result())
        said = time.monotonic()

    run_trial(job, on_point, stop_file.exists)
