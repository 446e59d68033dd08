"""What Ray's launcher creates from cluster.yaml, on an Amazon EC2 simulated by moto."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws
from ray.autoscaler._private.util import prepare_config
from ray.autoscaler.tags import (
    NODE_KIND_HEAD,
    NODE_KIND_WORKER,
    TAG_RAY_LAUNCH_CONFIG,
    TAG_RAY_NODE_KIND,
    TAG_RAY_NODE_NAME,
    TAG_RAY_NODE_STATUS,
    TAG_RAY_USER_NODE_TYPE,
)

from clusters.make import aws_file
from clusters.sites import HEAD, WORKERS, Aws

PROFILES = ("sweetspot-head", "sweetspot-worker")
REGION = Aws.region


@pytest.fixture
def amazon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """boto3 with an account that only has the profiles that clusters/aws_roles.sh creates."""
    # Ray keeps the key pair that it makes in the home folder.
    (tmp_path / ".ssh").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, REGION)
    with mock_aws():
        iam = boto3.client("iam")
        for name in PROFILES:
            iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
            iam.create_instance_profile(InstanceProfileName=name)
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        yield boto3


def launched(config: dict[str, Any], kind: str, node_type: str) -> Any:
    """Starts one machine as `ray up` starts the head, and the head its workers."""
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    tags = {TAG_RAY_NODE_KIND: kind, TAG_RAY_USER_NODE_TYPE: node_type, TAG_RAY_NODE_NAME: node_type}
    tags |= {TAG_RAY_NODE_STATUS: "uninitialized", TAG_RAY_LAUNCH_CONFIG: "0"}
    (made,) = provider.create_node(
        copy.deepcopy(config["available_node_types"][node_type]["node_config"]), tags, 1
    ).values()
    return made


@pytest.fixture
def config(amazon: Any) -> dict[str, Any]:
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

    return AWSNodeProvider.bootstrap_config(prepare_config(yaml.safe_load(aws_file(Aws()))))


def test_the_head_is_on_demand_and_workers_are_spot_each_with_its_role(amazon: Any, config: dict[str, Any]) -> None:
    launched(config, NODE_KIND_HEAD, HEAD.name)
    for worker in WORKERS:
        launched(config, NODE_KIND_WORKER, worker.name)
    machines = {machine.instance_type: machine for machine in amazon.resource("ec2").instances.all()}
    assert machines.keys() == {HEAD.instance, *(worker.instance for worker in WORKERS)}
    head = machines.pop(HEAD.instance)
    assert head.instance_lifecycle is None
    assert head.iam_instance_profile["Arn"].endswith("/sweetspot-head")
    # The user connects to the public address, workers to the private one.
    assert head.public_ip_address and head.private_ip_address
    for machine in machines.values():
        assert machine.instance_lifecycle == "spot"
        assert machine.iam_instance_profile["Arn"].endswith("/sweetspot-worker")


def test_nothing_but_ssh_comes_in_from_outside(amazon: Any, config: dict[str, Any]) -> None:
    node = launched(config, NODE_KIND_HEAD, HEAD.name)
    (group,) = amazon.resource("ec2").Instance(node.id).security_groups
    rules = amazon.resource("ec2").SecurityGroup(group["GroupId"]).ip_permissions
    within = [rule for rule in rules if not rule["IpRanges"] and not rule["Ipv6Ranges"]]
    outside = [rule for rule in rules if rule not in within]
    assert [(rule["FromPort"], rule["ToPort"]) for rule in outside] == [(22, 22)]
    assert {pair["GroupId"] for rule in within for pair in rule["UserIdGroupPairs"]} == {group["GroupId"]}


def test_machines_have_the_resources_in_the_file(amazon: Any) -> None:
    """Compared with Amazon's catalogue in moto."""
    kinds = (HEAD, *WORKERS)
    asked = amazon.client("ec2").describe_instance_types(InstanceTypes=[kind.instance for kind in kinds])
    found = {one["InstanceType"]: one for one in asked["InstanceTypes"]}
    for kind in kinds:
        machine = found[kind.instance]
        gpus = machine.get("GpuInfo", {}).get("Gpus", [])
        assert machine["VCpuInfo"]["DefaultVCpus"] == kind.cpus
        assert machine["MemoryInfo"]["SizeInMiB"] == 1024 * kind.memory_gib
        assert sum(gpu["Count"] for gpu in gpus) == kind.gpus
        assert all(kind.gpu_name.startswith(gpu["Name"]) for gpu in gpus)
