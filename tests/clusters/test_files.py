"""The cluster files: Ray accepts them, they match their templates, hold no secret and open no port."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.session import get_session
from botocore.validate import ParamValidator
from ray.autoscaler._private.util import prepare_config, validate_config
from typer.testing import CliRunner

from clusters import make
from clusters.make import SYNCED, aws_file, committed_files, kuberay_file, onprem_file
from clusters.sites import HEAD, WORKERS, Aws, HeadMemory, KubeRay, OnPrem
from search.planning.layout import MAX_SEATS
from spaces.errors import InputError
from tests.support.paths import ROOT

PINS = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split("\n") if "==" in line)
RAY_UP = ("cluster.yaml", "clusters/onprem.yaml")
HANDWRITTEN = ("clusters/environment.sh", "clusters/set_up_node.sh", "clusters/aws_roles.sh", "docs/cluster.md")
SECRETS = re.compile(
    r"AKIA[0-9A-Z]{16}"  # of Amazon, GitHub, Hugging Face, Slack
    r"|gh[pousr]_\w{20,}|github_pat_\w+|hf_[A-Za-z0-9]{20,}|xox[a-z]-"
    r"|-----BEGIN|ssh-(rsa|ed25519) AAAA"
    r"|eyJ[\w-]{10,}\.[\w-]{10,}"
    # Something that is named like a secret and is given a value.
    r"|(?i:(secret|password|passwd|(?<!http)token|api_?key|credentials?)\w*['\"]?\s*[:=]\s*['\"]?[^\s'\"$}]{6,})"
    r"|\b[0-9a-fA-F]{32,}\b|(?<![\w/.:-])[A-Za-z0-9+=]{40,}(?![\w/.:-])"
)


def parsed(path: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def pods() -> list[dict[str, Any]]:
    """Head first."""
    cluster = manifests()["RayCluster"]["spec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def manifests() -> dict[str, dict[str, Any]]:
    text = (ROOT / "clusters/kuberay.yaml").read_text(encoding="utf-8")
    return {one["kind"]: one for one in yaml.safe_load_all(text)}


@pytest.mark.parametrize("path", committed_files())
def test_a_file_matches_its_template(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == committed_files()[path], "run python -m clusters.make files"


@pytest.mark.parametrize("path", RAY_UP)
def test_ray_accepts_a_file(path: str) -> None:
    validate_config(prepare_config(parsed(path)))


@pytest.mark.parametrize("path", RAY_UP)
def test_ray_refuses_a_misspelt_file(path: str) -> None:
    with pytest.raises(Exception, match="max_wrkers"):
        validate_config(prepare_config({**parsed(path), "max_wrkers": 1}))


@pytest.mark.parametrize(
    "text",
    [
        aws_file(Aws("eu-north-1", 3)),
        onprem_file(OnPrem("10.0.0.2", ("10.0.0.3",), "me", "~/.ssh/other")),
        onprem_file(OnPrem("10.0.0.2", tuple(f"10.0.1.{n}" for n in range(1, 30)))),
    ],
    ids=["another region", "one worker", "many workers"],
)
def test_ray_accepts_a_printed_file(text: str) -> None:
    validate_config(prepare_config(yaml.safe_load(text)))


@pytest.mark.parametrize("path", [*committed_files(), *HANDWRITTEN])
def test_no_file_holds_a_secret(path: str) -> None:
    assert not SECRETS.search((ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "planted",
    [
        "aws_access_key_id: AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
        "export HF_TOKEN=hf_abcdefghijklmnopqrstuvwxyz",
        "RAY_AUTH_TOKEN: 0123456789abcdef0123456789abcdef",
        "- echo 0123456789abcdef0123456789abcdef > ~/.ray/auth_token",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "password: correct-horse",
    ],
)
def test_a_planted_secret_is_found(planted: str) -> None:
    assert SECRETS.search((ROOT / "cluster.yaml").read_text(encoding="utf-8") + planted)


def test_on_premises_differs_only_in_provider_addresses_and_login() -> None:
    aws, onprem = (parsed(path) for path in RAY_UP)
    # Only Amazon's machines are of types that are rented, and only there does the autoscaler need boto3.
    assert aws.keys() - onprem.keys() == {"max_workers", "head_node_type", "available_node_types"}
    assert not onprem.keys() - aws.keys()
    differing = {key for key in onprem if onprem[key] != aws[key]}
    assert differing == {"provider", "auth", "head_setup_commands", "head_start_ray_commands"}
    assert onprem["head_setup_commands"] == [line for line in aws["head_setup_commands"] if ".[aws]" not in line]
    started = " ".join(onprem["head_start_ray_commands"])
    for only_there in (
        " export RAY_enable_autoscaler_v2=0 AUTOSCALER_NODE_START_WAIT_S=2592000;",
        f" --node-ip-address={OnPrem().head}",
    ):
        assert only_there in started
        started = started.replace(only_there, "")
    assert started == " ".join(aws["head_start_ray_commands"])


@pytest.mark.parametrize("path", RAY_UP)
def test_ray_starts_private_and_with_a_token(path: str) -> None:
    file = parsed(path)
    (head,), (worker,) = (
        [line for line in file[f"{who}_start_ray_commands"] if "ray start" in line] for who in ("head", "worker")
    )
    assert "--dashboard-host=127.0.0.1" in head
    assert all("--disable-usage-stats" in line for line in (head, worker))
    assert any("get-auth-token --generate" in line for line in file["head_setup_commands"])
    assert file["cluster_synced_files"] == ["~/.ray/auth_token"]
    assert "0.0.0.0" not in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", RAY_UP)
def test_a_node_gets_only_what_installation_and_a_search_need(path: str) -> None:
    mounts = parsed(path)["file_mounts"]
    assert mounts == {f"~/sweetspot/{name}": name for name in SYNCED}
    assert all((ROOT / name).exists() for name in SYNCED)
    built = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    packages = tomllib.loads(built)["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {name.removesuffix("*") for name in packages} <= set(SYNCED)


def test_the_head_holds_the_trial_functions_of_all_benches() -> None:
    file = parsed("cluster.yaml")
    head = file["available_node_types"][file["head_node_type"]]
    assert head["resources"]["GPU"] == 0
    assert head["node_config"]["InstanceType"] == HEAD.instance
    gib = file["max_workers"] * MAX_SEATS * 200 / 1024
    assert HeadMemory(file["max_workers"]).trials == gib
    assert gib < HeadMemory(file["max_workers"]).total < 0.8 * HEAD.memory_gib
    assert f"{gib:.1f} GiB" in (ROOT / "cluster.yaml").read_text(encoding="utf-8")


def test_workers_on_aws_are_spot_machines_from_none_up() -> None:
    file = parsed("cluster.yaml")
    workers = {name: kind for name, kind in file["available_node_types"].items() if name != file["head_node_type"]}
    assert {kind["node_config"]["InstanceType"].split(".")[0] for kind in workers.values()} == {"g6e", "g5"}
    for kind in workers.values():
        assert kind["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
        assert (kind["min_workers"], kind["max_workers"], kind["resources"]["GPU"]) == (0, file["max_workers"], 1)
    assert len(workers) == len(WORKERS)


def test_amazon_accepts_the_description_of_each_machine() -> None:
    """Checked against botocore's model of the call, without a network."""
    call = get_session().get_service_model("ec2").operation_model("RunInstances").input_shape
    for kind in parsed("cluster.yaml")["available_node_types"].values():
        wrong = ParamValidator().validate({**kind["node_config"], "MinCount": 1, "MaxCount": 1}, call)
        assert not wrong.has_errors(), wrong.generate_report()


@pytest.mark.parametrize(
    ("site", "said"),
    [
        (lambda: OnPrem("8.8.8.8"), "public IP address"),
        (lambda: OnPrem("head.example"), "not an IP address"),
        (lambda: OnPrem("10.0.0.2", ("10.0.0.2",)), "given twice"),
        (lambda: Aws(workers=40), "use fewer"),
    ],
)
def test_an_impossible_site_is_refused(site, said: str) -> None:
    with pytest.raises(InputError, match=said):
        site()


def test_a_file_that_was_changed_by_hand_is_reported_and_restored(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(make, "ROOT", tmp_path)
    runner = CliRunner()
    assert runner.invoke(make.app, ["files"]).exit_code == 0
    assert runner.invoke(make.app, ["files", "--check"]).exit_code == 0
    changed = tmp_path / "clusters/kuberay.yaml"
    changed.write_text(changed.read_text().replace("ClusterIP", "LoadBalancer"))
    result = runner.invoke(make.app, ["files", "--check"])
    assert result.exit_code == 1 and "clusters/kuberay.yaml;" in result.output
    runner.invoke(make.app, ["files"])
    assert changed.read_text() == committed_files()["clusters/kuberay.yaml"]


def test_pods_have_the_ray_that_is_installed() -> None:
    spec = manifests()["RayCluster"]["spec"]
    assert spec["rayVersion"] == PINS["ray"]
    assert f"FROM rayproject/ray:{PINS['ray']}-py311-gpu\n" in (ROOT / "clusters/Dockerfile").read_text()


def test_pods_have_what_kuberay_requires() -> None:
    kinds = manifests()
    assert {kind: one["apiVersion"] for kind, one in kinds.items()} == {
        "PersistentVolumeClaim": "v1",
        "RayCluster": "ray.io/v1",
        "RayJob": "ray.io/v1",
    }
    assert kinds["RayCluster"]["spec"]["authOptions"] == {"mode": "token"}
    job = kinds["RayJob"]["spec"]
    assert job["clusterSelector"] == {"ray.io/cluster": kinds["RayCluster"]["metadata"]["name"]}
    assert "--space demo" in job["entrypoint"] and "--out /mnt/sweetspot/" in job["entrypoint"]
    for group in pods():
        # The operator refuses numbers here.
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        (container,) = group["template"]["spec"]["containers"]
        assert container["image"] == KubeRay().image
        assert container["resources"]["requests"] == container["resources"]["limits"]
        volumes = {volume["name"] for volume in group["template"]["spec"]["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def test_only_worker_pods_have_a_gpu_and_the_dashboard_is_private() -> None:
    head, *workers = pods()
    assert head["serviceType"] == "ClusterIP"
    assert "nvidia.com/gpu" not in head["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert [worker["template"]["spec"]["nodeSelector"]["nvidia.com/gpu.product"] for worker in workers] == [
        "NVIDIA-L40S",
        "NVIDIA-A40",
    ]
    for worker in workers:
        assert worker["minReplicas"] == 0 < worker["maxReplicas"]
        assert worker["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_the_head_pod_holds_the_trial_functions_of_all_benches() -> None:
    head, *workers = pods()
    asked = head["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
    benches = sum(worker["maxReplicas"] for worker in workers)
    assert float(asked.removesuffix("Gi")) >= HeadMemory(benches).total


def test_a_given_image_is_in_every_pod() -> None:
    text = kuberay_file(KubeRay(image="registry.example/ours:2"))
    assert text.count("image: registry.example/ours:2\n") == 3 and KubeRay().image not in text
