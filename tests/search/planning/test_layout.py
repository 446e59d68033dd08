"""How benches are laid out on a machine, and which options are refused."""

from __future__ import annotations

import pytest

from search.planning.execution_mode import ExecutionMode
from search.planning.layout import MAX_SEATS, lay_out_benches
from search.planning.resources import RAY_BYTES, Resources
from spaces.errors import InputError

GB = 1e9


@pytest.mark.parametrize(
    ("cpus", "gpus", "trials", "mode", "benches", "most", "seats", "at_once"),
    [
        (2, 0, 6, ExecutionMode(), 1, 1, 2, 2),
        (2, 0, 3, ExecutionMode(), 1, 1, 1, 1),
        (16, 0, 99, ExecutionMode(), 1, 1, MAX_SEATS, MAX_SEATS),
        (16, 1, 16, ExecutionMode(), 1, 1, 6, 6),
        (64, 8, 24, ExecutionMode(), 8, 8, 1, 8),
        (64, 8, 6, ExecutionMode(), 2, 8, 1, 2),
        (64, 4, 99, ExecutionMode(), 4, 4, MAX_SEATS, 32),
        (64, 4, 16, ExecutionMode(), 3, 4, 2, 6),
        (64, 4, 4, ExecutionMode(seats=3), 4, 4, 3, 12),
        (64, 4, 99, ExecutionMode(gpus_per_bench=2), 2, 2, MAX_SEATS, 16),
        (64, 4, 99, ExecutionMode(gpus_per_bench=3, max_benches=4), 1, 4, MAX_SEATS, 32),
        (64, 4, 99, ExecutionMode(max_benches=2), 2, 2, MAX_SEATS, 16),
        (8, 0, 99, ExecutionMode(gpus_per_bench=1, max_benches=2), 1, 2, MAX_SEATS, 16),
    ],
)
def test_trials_are_spread_over_benches_and_never_more_than_a_search_can_learn_from(
    cpus, gpus, trials, mode, benches, most, seats, at_once
):
    layout = lay_out_benches(Resources(cpus, gpus, 64 * GB), mode, trials)
    assert (layout.initial_benches, layout.max_benches, layout.seats, layout.at_once) == (benches, most, seats, at_once)
    assert layout.force_seats is (mode.seats is not None)
    assert layout.workers == (mode.gpus_per_bench or 1)
    if layout.has_gpu:
        assert layout.worker["GPU"] == 1 and layout.memory is None
    else:
        assert layout.worker["CPU"] <= cpus and layout.memory == 64 * GB - RAY_BYTES


HEAD = Resources(0, 0, 16 * GB)


def cluster(*nodes: Resources, max_gpus: float = 0) -> Resources:
    cpus, gpus, memory = (sum(getattr(node, of) for node in nodes) for of in ("cpus", "gpus", "memory"))
    return Resources(cpus, gpus, memory, nodes, max_gpus)


@pytest.mark.parametrize(
    ("there", "trials", "mode", "benches", "most", "seats", "at_once", "worker", "threads"),
    [
        # A node with a CPU holds a bench of the smallest one's size, a head without one none.
        ((HEAD, Resources(2, 0, 8 * GB), Resources(4, 0, 8 * GB)), 99, ExecutionMode(), 2, 2, 8, 16, {"CPU": 1.8}, 1),
        # The CPUs of a head are no GPU's.
        (
            (Resources(16, 0, 64 * GB), Resources(4, 4, 64 * GB)),
            99,
            ExecutionMode(),
            4,
            4,
            8,
            32,
            {"GPU": 1, "CPU": 0.5},
            1,
        ),
        ((HEAD, Resources(8, 1, 64 * GB)), 6, ExecutionMode(max_benches=2), 1, 2, 1, 2, {"GPU": 1, "CPU": 1}, 8),
    ],
)
def test_benches_are_where_gpus_are_or_else_where_cpus_are(
    there, trials, mode, benches, most, seats, at_once, worker, threads
):
    layout = lay_out_benches(cluster(*there), mode, trials)
    assert (layout.initial_benches, layout.max_benches, layout.seats, layout.at_once) == (benches, most, seats, at_once)
    assert (layout.worker, layout.threads) == (worker, threads)


@pytest.mark.parametrize(
    ("trials", "mode", "there", "most", "seats", "at_once"),
    [
        (12, ExecutionMode(), 1, 10, 4, 4),
        (99, ExecutionMode(), 1, 10, 8, 33),
        (99, ExecutionMode(max_benches=3), 1, 3, 8, 24),
        (99, ExecutionMode(gpus_per_bench=2), 1, 5, 8, 33),
    ],
)
def test_a_node_is_filled_before_another_one_is_added(trials, mode, there, most, seats, at_once):
    layout = lay_out_benches(cluster(HEAD, Resources(8, 1, 64 * GB), max_gpus=10), mode, trials)
    assert layout.has_gpu
    assert (layout.initial_benches, layout.max_benches, layout.seats, layout.at_once) == (there, most, seats, at_once)


@pytest.mark.parametrize(("gpus", "message"), [(0, "found 0 GPUs; leave it out"), (1, "found 1 GPU; give at most")])
def test_more_gpus_per_bench_than_there_are_is_refused(gpus, message):
    with pytest.raises(InputError, match=message):
        lay_out_benches(Resources(8, gpus, 64 * GB), ExecutionMode(gpus_per_bench=2), 9)


@pytest.mark.parametrize("options", [{"seats": 2}, {"gpus_per_bench": 2}, {"max_benches": 2}])
def test_an_isolated_search_has_no_benches(options):
    option = f"--{next(iter(options)).replace('_', '-')}"
    with pytest.raises(InputError, match=f"--isolate gives .* {option} is about benches"):
        ExecutionMode(isolate=True, **options)
