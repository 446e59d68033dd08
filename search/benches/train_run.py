"""Runs one bench as a Ray Train run."""

import pickle
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.actor import ActorHandle

from search.benches.worker import BenchSpec, serve
from search.cluster.node_probe import train_on_matching_node
from search.cluster.node_probe_transport import pickled_by_value
from search.planning.layout import BenchLayout
from search.run_state.sync import ray_storage

FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.5, 30.0
COLLECTIVE_TIMEOUT_SECONDS = 6 * 3600
"""How long the workers of a bench wait for one of them that is alive, which may be probing many trials; when one dies,
Ray Train ends the others."""
NODE_ID = "ray.io/node-id"
"""Ray's label of every node."""


@dataclass(frozen=True)
class BenchRun:
    """What all benches of a search have in common, and where they run."""

    layout: BenchLayout
    spec: BenchSpec
    storage: Path
    """A folder for Ray's bookkeeping that every node reaches, unless there is storage for those that share none."""
    broker: ActorHandle
    versions: Mapping[str, str] | None = None
    """`search.cluster.environment.versions` of the driver's node, which a bench's node must equal; None on a single
    machine."""


def run_bench(run: BenchRun, bench: str, name: str, excluded_nodes: Collection[str] = ()) -> None:
    """Runs a bench until the broker closes it. `name` of the Ray Train run: each needs its own. `excluded_nodes` by id.

    Ray Train starts it again without limit when a worker dies or raises. Raises what Ray Train itself fails with.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    layout, config = run.layout, {"bench": bench, "broker": run.broker}
    if run.versions is None:
        train, config = _train, {**config, "spec": run.spec}
    else:
        train = train_on_matching_node
        config |= {
            "serve": "search.benches.worker:serve",
            "spec": pickle.dumps(run.spec),
            "versions": run.versions,
        }
    excluded = {NODE_ID: f"!in({','.join(sorted(excluded_nodes))})"} if excluded_nodes else None
    with pickled_by_value():
        TorchTrainer(
            train,
            train_loop_config=config,
            torch_config=TorchConfig(timeout_s=COLLECTIVE_TIMEOUT_SECONDS),
            scaling_config=ScalingConfig(  # type: ignore[call-arg]
                num_workers=layout.workers,
                use_gpu=layout.has_gpu,
                resources_per_worker=layout.worker,
                label_selector=excluded,
            ),
            run_config=RunConfig(
                name=name, failure_config=FailureConfig(max_failures=-1), **ray_storage(run.spec.storage, run.storage)
            ),
        ).fit()


def backoff_seconds(attempt: int) -> float:
    """Seconds to wait after so many failed starts in a row."""
    return min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0**attempt)


def _train(config: dict[str, Any]) -> None:
    """What a Ray Train worker runs on a single machine."""
    serve(config["spec"], config["bench"], config["broker"])
