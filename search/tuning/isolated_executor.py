"""Runs each trial in a `TorchTrainer` of its own, and each task as a Ray task: `--isolate`."""

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from search.cluster.failure import root_reason
from search.cluster.nodes import driver_node_resources
from search.planning.resources import TrialResources
from search.run_state.sync import StopSignal, pull_prepared, ray_storage
from search.tuning.executor import Result
from search.tuning.outcome_file import ensure_outcome
from search.tuning.tune_report import REPORT_SECONDS, as_result, spec_of
from spaces.cli import OnProgress
from spaces.records.trial import Ending, Outcome
from trainable.files.mirror import pull
from trainable.training.events import Finished, Progress, thinned

PROGRESS, DONE, ERROR = "progress", "done", "error"


def run_as_ray_task(work: Callable[[OnProgress], Result], machine: TrialResources, on_progress: OnProgress) -> Result:
    """Runs `work` as a Ray task and returns what it returns. Its errors are raised here unchanged.

    Raises ray.exceptions.WorkerCrashedError when its process dies twice.
    """
    import ray

    resources = {"num_gpus": 1, "num_cpus": 0} if machine.has_gpu else {"num_cpus": machine.worker["CPU"]}
    # The process ends after one call: idle, it would keep torch and the model in memory for the whole search.
    task = ray.remote(num_returns="streaming", max_calls=1, max_retries=1, **resources)(_stream)
    for reference in task.remote(work):  # type: ignore[attr-defined]
        kind, value = ray.get(reference)
        if kind == PROGRESS:
            on_progress(*value)
        elif kind == ERROR:
            raise value
        else:
            return value
    raise RuntimeError("expected a result from the task, got none")


def _stream(work: Callable[[OnProgress], Any]) -> Iterator[tuple[str, Any]]:
    messages: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def run() -> None:
        try:
            messages.put((DONE, work(lambda what, done, of: messages.put((PROGRESS, (what, done, of))))))
        except Exception as error:
            messages.put((ERROR, error))

    threading.Thread(target=run, daemon=True).start()
    kind = PROGRESS
    while kind == PROGRESS:
        kind, value = messages.get()
        yield kind, value


RESTARTS = 2
"""How often Ray Train starts a trial's process again, from its last checkpoint, before the trial fails."""
STOP = "stop"
THREADS = "threads"


class IsolatedExecutor:
    """See `search.tuning.executor.Executor`."""

    description = "one process per trial (--isolate)"
    # A process whose trial Tune has stopped would still be in its trainer's `fit` when the next trial comes.
    reuse_actors = False
    max_failures = 3

    def __init__(self, machine: TrialResources, bookkeeping: Path, stop_file: Path) -> None:
        """`bookkeeping` is a folder that every node reaches. Trials end once `stop_file` exists."""
        self._machine, self._bookkeeping, self._stop_file = machine, bookkeeping, stop_file
        self.max_concurrent = machine.at_once
        self.resources = driver_node_resources()

    def trial_function(self) -> Callable[[dict[str, Any]], None]:
        return trial_function(self._machine, self._bookkeeping, self._stop_file)

    def capacity(self) -> int:
        return self.max_concurrent

    def stuck_reason(self) -> str | None:
        """None: Ray Train waits without limit."""
        return None

    def notices(self) -> list[str]:
        return []

    def release(self, trial: str) -> None:
        """A trial holds nothing once its function has ended."""

    def run_task(self, work: Callable[[OnProgress], Result], on_progress: OnProgress) -> Result:
        return run_as_ray_task(work, self._machine, on_progress)


def trial_function(machine: TrialResources, bookkeeping: Path, stop_file: Path) -> Callable[[dict[str, Any]], None]:
    """The function that Ray Tune runs for every trial."""
    resources, use_gpu, threads = machine.worker, machine.has_gpu, machine.threads

    def trial(config: dict[str, Any]) -> None:
        from ray import tune
        from ray.train import FailureConfig, RunConfig, ScalingConfig, WorkerGroupError
        from ray.train.torch import TorchTrainer
        from ray.tune.integration.ray_train import TuneReportCallback

        spec = spec_of(config)
        trainer = TorchTrainer(
            train,
            train_loop_config={**config, STOP: str(stop_file), THREADS: threads},
            scaling_config=ScalingConfig(num_workers=1, use_gpu=use_gpu, resources_per_worker=resources),
            run_config=RunConfig(
                name=f"train-{spec.trial}",
                **ray_storage(spec.storage, bookkeeping),
                callbacks=[TuneReportCallback()],
                failure_config=FailureConfig(max_failures=RESTARTS),
            ),
        )
        try:
            outcome = trainer.fit().return_value  # type: ignore[attr-defined]
            pull(spec.storage, spec.path)
        except WorkerGroupError as error:
            outcome = ensure_outcome(spec, Ending.FAILED, root_reason(error))
        tune.report(as_result(Finished(spec.trial, outcome)))

    return trial


def train(config: dict[str, Any]) -> Outcome:
    """What a Ray Train worker runs: the training loop, whose progress it reports and whose outcome it returns."""
    import ray.train
    import torch

    from trainable.training.run_trial import run_trial

    torch.set_num_threads(config[THREADS])
    spec, stop_file = spec_of(config), Path(config[STOP])

    def report(event: Progress) -> None:
        ray.train.report(as_result(event))

    pull_prepared(spec.storage, spec.probe.lines)
    return run_trial(spec, thinned(report, REPORT_SECONDS), StopSignal(spec.storage, stop_file))
