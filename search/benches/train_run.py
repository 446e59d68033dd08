"""One bench as a Ray Train run."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.actor import ActorHandle

from search.benches.worker import BenchSpec, serve
from search.cluster.node_probe import train_where_equal
from search.cluster.node_probe_transport import carried
from search.planning.layout import BenchLayout
from search.run_state.sync import ray_storage

FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 0.5, 30.0
CREW_SECONDS = 6 * 3600
"""How long the workers of a bench wait for one of them that is alive, which may be listening to many trials; when one
dies, Ray Train ends the others."""
NODE_ID = "ray.io/node-id"
"""Ray's label of every node."""


@dataclass(frozen=True)
class BenchRun:
    """What all benches of a search have in common."""

    layout: BenchLayout
    spec: BenchSpec
    storage: Path
    """A folder for Ray's bookkeeping that every node reaches, unless there is storage for those that share none."""
    desk: ActorHandle
    identity: Mapping[str, str] | None = None
    """What the nodes of benches must have, as `search.cluster.environment` tells it; None on a single machine."""


def run_bench(run: BenchRun, bench: str, name: str, left_out: Collection[str] = ()) -> None:
    """Runs a bench until the desk closes it. `name` of the Ray Train run: each needs its own. `left_out` are the nodes
    that it must not be on, by id.

    Ray Train starts it again without limit when a worker dies or raises. Raises what Ray Train itself fails with.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    layout = run.layout
    if run.identity is None:
        train, config = _train, {"spec": run.spec, "bench": bench, "desk": run.desk}
    else:
        pickled = pickle.dumps(run.spec)
        train, config = (
            train_where_equal,
            {
                "serve": "search.benches.worker:serve",
                "spec": pickled,
                "bench": bench,
                "desk": run.desk,
                "here": run.identity,
            },
        )
    with carried():
        TorchTrainer(
            train,
            train_loop_config=config,
            torch_config=TorchConfig(timeout_s=CREW_SECONDS),
            scaling_config=ScalingConfig(
                num_workers=layout.workers,
                use_gpu=layout.has_gpu,
                resources_per_worker=layout.worker,
                label_selector={NODE_ID: f"!in({','.join(sorted(left_out))})"} if left_out else None,
            ),
            run_config=RunConfig(
                name=name, failure_config=FailureConfig(max_failures=-1), **ray_storage(run.spec.storage, run.storage)
            ),
        ).fit()


def backoff(attempt: int) -> float:
    """Seconds to wait after so many starts in a row that came to nothing."""
    return min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0**attempt)


def _train(config: dict[str, Any]) -> None:
    """The Ray Train worker's part on a single machine."""
    serve(config["spec"], config["bench"], config["desk"])
