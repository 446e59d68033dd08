"""How a machine is shared among isolated trials, and the reason given for a process that died."""

from __future__ import annotations

import pytest
from ray.exceptions import RayActorError
from ray.train import WorkerGroupError

from search.cluster.failure import PROCESS_DIED, root_reason
from search.planning.resources import Resources, share_resources

GB = 1e9
TRACEBACK = """Traceback (most recent call last):
  File "loop.py", line 3, in run
    step()
  File "loop.py", line 9, in step
    raise ValueError("rank 4 is odd")
ValueError: rank 4 is odd
and more of it
"""


@pytest.mark.parametrize(
    ("cpus", "gpus", "memory", "trials", "at_once"),
    [
        (2, 0, 16 * GB, 6, 2),
        (2, 0, 16 * GB, 3, 1),
        (2, 0, 4 * GB, 6, 1),
        (1, 0, 0, 6, 1),
        (16, 0, 64 * GB, 6, 2),
        (16, 0, 64 * GB, 60, 16),
        (32, 4, 8 * GB, 6, 4),
    ],
)
def test_trials_at_once_are_limited_by_the_machine_and_by_learning(cpus, gpus, memory, trials, at_once):
    machine = share_resources(Resources(cpus, gpus, memory), trials)
    assert machine.at_once == at_once
    assert machine.has_gpu is (gpus > 0)
    assert machine.threads == (cpus // at_once if gpus else 1)


@pytest.mark.parametrize("cpus", [1, 2, 3, 4, 16])
def test_workers_leave_some_of_the_cpus_to_ray(cpus):
    machine = share_resources(Resources(cpus, 0, 64 * GB), 60)
    assert machine.at_once * machine.worker["CPU"] < cpus


def test_on_several_nodes_every_worker_fits_one_of_them():
    nodes = tuple(Resources(cpus, 0, 16 * GB) for cpus in (2, 1, 2))
    machine = share_resources(Resources(5, 0, 48 * GB, nodes), 9)
    assert (machine.at_once, machine.worker) == (3, {"CPU": 0.9})


def test_gpus_that_an_autoscaler_may_add_are_counted():
    nodes = (Resources(8, 0, 16 * GB), Resources(16, 2, 64 * GB))
    machine = share_resources(Resources(24, 2, 80 * GB, nodes, max_gpus=16), 30)
    assert (machine.at_once, machine.worker, machine.threads) == (10, {"GPU": 1, "CPU": 1.0}, 8)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (WorkerGroupError("failed", {0: ValueError("rank 4 is odd\nand more of it")}), "ValueError: rank 4 is odd"),
        (WorkerGroupError("failed", {0: RuntimeError(TRACEBACK)}), "ValueError: rank 4 is odd"),
        (WorkerGroupError("failed", {0: RayActorError()}), PROCESS_DIED),
        (RayActorError(), PROCESS_DIED),
        (KeyError("x"), "KeyError: 'x'"),
        (RuntimeError(), "RuntimeError, without a message"),
    ],
)
def test_a_failure_is_one_line_of_its_root_cause(error, reason):
    assert root_reason(error) == reason
