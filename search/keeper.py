"""One bench as a Ray Train run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.actor import ActorHandle

from search.layout import Layout
from search.service import BenchSpec, serve

FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 0.5, 30.0
CREW_SECONDS = 6 * 3600
"""How long the workers of a bench wait for one of them that is alive, which may be listening to many trials; when one
dies, Ray Train ends the others."""
RUN, BENCH = "run", "bench"


@dataclass(frozen=True)
class BenchRun:
    """What all benches of a search have in common."""

    layout: Layout
    spec: BenchSpec
    storage: Path
    """A folder that every node reaches."""
    desk: ActorHandle


def run_bench(run: BenchRun, bench: str, name: str) -> None:
    """Runs a bench until the desk closes it. `name` of the Ray Train run: each needs its own.

    Ray Train starts it again without limit when a worker dies or raises. Raises what Ray Train itself fails with.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    layout = run.layout
    TorchTrainer(
        _train,
        train_loop_config={RUN: run, BENCH: bench},
        torch_config=TorchConfig(timeout_s=CREW_SECONDS),
        scaling_config=ScalingConfig(
            num_workers=layout.workers, use_gpu=layout.has_gpu, resources_per_worker=layout.worker
        ),
        run_config=RunConfig(name=name, storage_path=str(run.storage), failure_config=FailureConfig(max_failures=-1)),
    ).fit()


def backoff(attempt: int) -> float:
    """Seconds to wait after so many starts in a row that came to nothing."""
    return min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0**attempt)


def _train(config: dict[str, Any]) -> None:
    """The Ray Train worker's part."""
    run: BenchRun = config[RUN]
    serve(run.spec, config[BENCH], run.desk)
