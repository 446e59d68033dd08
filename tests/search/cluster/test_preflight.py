"""The checks of a cluster's nodes before the first trial."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from search.cluster.copying import missing_checkpoint
from search.cluster.environment import MISSING, SOURCE, differences, versions
from search.cluster.node_probe import inspect_node
from search.cluster.nodes import Node
from search.cluster.preflight import TAKEN_BYTES, gpu_problems
from search.cluster.recorded_address import recorded_address
from search.planning.resources import Resources
from search.run import run
from spaces.cli import WRONG_INPUT
from tests.support.ray_nodes import OTHER_TORCH, Nodes
from tests.support.toy_run import command

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with Nodes() as nodes:
        nodes.add()
        yield nodes


def test_equal_nodes_pass_and_a_recorded_ray_is_found(nodes, tmp_path):
    assert nodes.check(str(tmp_path), (str(tmp_path),), {str(tmp_path): 1}) == (
        "Nodes:  2 looked at: storage, versions, data, GPUs and disks are in order"
    )
    assert not list(tmp_path.iterdir())
    record = {"RAY_TMPDIR": str(nodes.folder)}
    assert recorded_address(record) == nodes.address
    assert recorded_address({**record, "RAY_ADDRESS": "elsewhere:1"}) is None
    assert recorded_address({"RAY_TMPDIR": str(tmp_path)}) is None


def test_on_the_head_of_a_cluster_the_demo_must_be_asked_for_and_one_s_own_ray_insisted_on(nodes, monkeypatch):
    monkeypatch.setenv("RAY_TMPDIR", str(nodes.folder))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    code, said = command(run)
    assert code == WRONG_INPUT
    assert said.startswith(f"a cluster is configured ({nodes.address}), so choose what to search there: --data FOLDER")
    assert "--address local for this machine only" in said


@pytest.mark.parametrize("left", ["127.0.0.1:1", "", "nonsense"])
def test_a_record_of_a_ray_that_does_not_answer_is_ignored(tmp_path, left):
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text(left)
    assert recorded_address({"RAY_TMPDIR": str(tmp_path)}) is None


def test_all_problems_are_reported_at_once_each_with_its_node_and_remedy(nodes, tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    other = nodes.add(has_other_torch=True, cwd=tmp_path / "other")
    gpu = nodes.add(num_gpus=1)
    absent, model = tmp_path / "absent", tmp_path / "model"
    # The node was started elsewhere, so the working folder of its processes is another one.
    said = nodes.check("/proc/self/cwd/store", (str(absent),), {str(tmp_path): 1e18}, (str(model), str(tmp_path)))
    assert said.startswith("the cluster is not ready, ")
    for told in (
        f"node {other}: torch {OTHER_TORCH}, and {versions()['torch']} on the driver's node: install the same",
        f"node {other}: what node ",
        f"node {gpu}: {absent} is not there; put it on storage",
        f"node {gpu}: {model} is not there; copy it: rsync -a --mkpath {model}/ ",
        f"@{gpu}:{model}/, or put it on storage",
        f"node {gpu}: Ray counts 1 free GPU and torch sees 0",
        "free in " + str(tmp_path),
        "wrote to /proc/self/cwd/store is not seen there; it must be one storage at one path on all nodes",
    ):
        assert told in said, said
    assert f"node {gpu}: torch" not in said and f"{tmp_path} is not there" not in said


def test_a_checkpoint_of_the_hub_is_copied_from_the_cache_with_the_login_of_the_cluster(tmp_path, monkeypatch):
    node = Node("id", "10.0.0.3", Resources(0, 0, 0), is_head=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    lacking = "node 10.0.0.3: some/ears is not in its cache, and the hub cannot be reached from there; connect it"
    assert missing_checkpoint(node, "some/ears") == lacking
    folder = tmp_path / "models--some--ears"
    folder.mkdir()
    (tmp_path / "ray_bootstrap_config.yaml").write_text("auth: {ssh_user: anna, ssh_private_key: ~/key.pem}")
    copied = f"rsync -a --mkpath -e 'ssh -i ~/key.pem' {folder}/ anna@10.0.0.3:{folder}/"
    assert missing_checkpoint(node, "some/ears") == f"{lacking}, or copy it: {copied}"


def test_a_checkpoint_counts_as_there_with_its_weights_only(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    snapshot = tmp_path / "cache" / "models--some--ears" / "snapshots" / "1234"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").touch()
    wanted = ("some/ears", str(tmp_path), str(tmp_path / "none"))
    assert inspect_node((), {}, wanted)["absent"] == ["some/ears", str(tmp_path / "none")]
    (snapshot / "model.safetensors").touch()
    assert inspect_node((), {}, wanted)["absent"] == [str(tmp_path / "none")]


def test_differing_versions_are_reported_by_name_and_the_source_with_its_own_remedy():
    driver = versions()
    assert differences(driver, driver) == []
    assert differences({**driver, "ray": "1.0"}, driver) == [
        f"ray 1.0, and {driver['ray']} on the driver's node: install the same on every node"
    ]
    assert differences({**driver, SOURCE: "1234"}, driver)[0].startswith("another copy of the project")
    assert differences({**driver, SOURCE: MISSING}, driver)[0].startswith("no copy of the project")


@pytest.mark.parametrize(
    ("counted", "found", "told"),
    [
        (2, {"seen": 2, "used": [5e8, 1e9], "error": None}, []),
        (2, {"seen": 2, "used": [5e8, 2 * TAKEN_BYTES], "error": None}, ["GPU 1 is free for Ray and 4.0 GB of it"]),
        (2, {"seen": 1, "used": [0], "error": None}, ["Ray counts 2 free GPUs and torch sees 1;"]),
        (1, {"seen": 0, "used": [], "error": "no driver"}, ["Ray counts 1 free GPU and torch sees 0 (no driver);"]),
    ],
)
def test_gpus_must_be_seen_and_free(counted, found, told):
    said = gpu_problems("node x", counted, found)
    assert len(said) == len(told)
    for line, part in zip(said, told, strict=True):
        assert line.startswith("node x: ") and part in line
