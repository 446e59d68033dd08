"""GPUs that an autoscaler may add, and the node that a search waits for."""

from __future__ import annotations

import pytest

from search.cluster.nodes import Node, bootstrap_gpus, can_hold_bench, describe_bundles, missing_bundles
from search.planning.execution_mode import ExecutionMode
from search.planning.layout import lay_out_benches
from search.planning.resources import Resources

UP = """
max_workers: {most}
head_node_type: head
available_node_types:
  head: {{resources: {{CPU: 4, GPU: 8}}, max_workers: 0}}
  small: {{resources: {{CPU: 8, GPU: 1}}, max_workers: 3}}
  large: {{resources: {{CPU: 32, GPU: 4}}, min_workers: 0, max_workers: 2}}
  plain: {{resources: {{CPU: 32}}, max_workers: 9}}
"""


@pytest.mark.parametrize(("most", "gpus"), [(20, 11), (3, 9), (1, 4), (0, 0)])
def test_the_gpus_of_as_many_workers_as_may_run_are_counted(tmp_path, most, gpus):
    (tmp_path / "up.yaml").write_text(UP.format(most=most))
    assert bootstrap_gpus(tmp_path / "up.yaml") == gpus


@pytest.mark.parametrize("text", [None, "", "[]", "a: b", "{", "available_node_types: 3\nhead_node_type: x"])
def test_a_file_that_is_no_cluster_file_has_no_gpus(tmp_path, text):
    if text is not None:
        (tmp_path / "up.yaml").write_text(text)
    assert bootstrap_gpus(tmp_path / "up.yaml") == 0


def of(cpus: float = 0, gpus: float = 0, max_gpus: float = 0) -> Resources:
    return Resources(cpus, gpus, 1e9, max_gpus=max_gpus)


@pytest.mark.parametrize(
    ("there", "mode", "waits_for"),
    [
        (of(cpus=2), ExecutionMode(), None),
        (of(gpus=1), ExecutionMode(), None),
        (of(), ExecutionMode(), "a node with 1 CPU"),
        (of(cpus=8, max_gpus=4), ExecutionMode(), "a node with 1 GPU"),
        (of(cpus=8, gpus=1, max_gpus=4), ExecutionMode(), None),
        (of(cpus=8), ExecutionMode(gpus_per_bench=2, max_benches=1), "a node with 2 GPUs"),
        (of(cpus=8, gpus=2), ExecutionMode(gpus_per_bench=2), None),
        (of(cpus=8, max_gpus=4), ExecutionMode(isolate=True), "a node with 1 GPU"),
    ],
)
def test_a_search_waits_for_a_node_for_one_bench_and_for_no_more(there, mode, waits_for):
    bundles = missing_bundles(there, mode)
    assert (describe_bundles(bundles) if bundles else None) == waits_for


@pytest.mark.parametrize(
    ("there", "mode", "nodes", "held"),
    [
        (of(cpus=2), ExecutionMode(), [of(cpus=2)], True),
        (of(cpus=2), ExecutionMode(), [of(cpus=1), of()], False),
        (of(cpus=2, gpus=1), ExecutionMode(), [of(cpus=4), of(cpus=4)], False),
        (of(cpus=2, gpus=2), ExecutionMode(gpus_per_bench=2), [of(cpus=1, gpus=1), of(cpus=1, gpus=1)], True),
        (of(cpus=2, gpus=2), ExecutionMode(gpus_per_bench=2), [of(cpus=1, gpus=1)], False),
    ],
)
def test_nodes_can_hold_a_bench_when_they_have_its_resources(there, mode, nodes, held):
    named = [Node(str(number), "", resources, is_head=False) for number, resources in enumerate(nodes)]
    assert can_hold_bench(named, lay_out_benches(there, mode, trials=9)) is held
