"""How a machine is shared among trials, and what is said of a process that died."""

from __future__ import annotations

import pytest
from ray.exceptions import RayActorError
from ray.train import WorkerGroupError

from search.failure import DIED, root_reason
from search.machine import TRIAL_FUNCTION_CPU, Resources, share_machine

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
def test_as_many_at_once_as_the_machine_holds_and_the_search_can_learn_from(cpus, gpus, memory, trials, at_once):
    machine = share_machine(Resources(cpus, gpus, memory), trials)
    assert machine.at_once == at_once
    assert machine.has_gpu is (gpus > 0)
    assert machine.threads == (cpus // at_once if gpus else 1)


@pytest.mark.parametrize("cpus", [1, 2, 3, 4, 16])
def test_functions_never_take_the_cpus_that_their_workers_wait_for(cpus):
    machine = share_machine(Resources(cpus, 0, 64 * GB), 60)
    assert machine.at_once * (machine.worker["CPU"] + TRIAL_FUNCTION_CPU) <= cpus


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (WorkerGroupError("failed", {0: ValueError("rank 4 is odd\nand more of it")}), "ValueError: rank 4 is odd"),
        (WorkerGroupError("failed", {0: RuntimeError(TRACEBACK)}), "ValueError: rank 4 is odd"),
        (WorkerGroupError("failed", {0: RayActorError()}), DIED),
        (RayActorError(), DIED),
        (KeyError("x"), "KeyError: 'x'"),
        (RuntimeError(), "RuntimeError, without a message"),
    ],
)
def test_a_failure_is_one_line_from_the_bottom_of_its_cause(error, reason):
    assert root_reason(error) == reason
