"""The KubeRay file: valid by KubeRay's own schemas if they are installed, and as its operator reads it."""

from __future__ import annotations

import copy
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from clusters import make
from clusters.make import kuberay_file
from clusters.sites import KubeRay, Pods
from tests.support.kuberay_schema import CLAIM, closed, inner_schema, read_schemas, refusals

CRDS = "SWEETSPOT_KUBERAY_CRDS"
FILES = {
    "as committed": lambda: kuberay_file(KubeRay()),
    "of one worker": lambda: kuberay_file(KubeRay("registry.example:5000/ours:2", 1)),
    "of one kind": lambda: kuberay_file(KubeRay(kinds=(Pods("h100", "NVIDIA-H100-NVL"),))),
    "as printed": lambda: printed("--image", "registry.example/ours:2", "--workers", "3"),
}
DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: ray.io
  names: {kind: RayToy}
  versions:
    - name: v1
      schema:
        openAPIV3Schema:
          type: object
          properties:
            apiVersion: {type: string}
            kind: {type: string}
            metadata: {type: object}
            spec:
              type: object
              required: [rayVersion]
              properties:
                rayVersion: {type: string}
                replicas: {type: integer, minimum: 0}
                ratio: {type: number, nullable: true}
                mode: {type: string, enum: [disabled, token]}
                memory: {anyOf: [{type: integer}, {type: string}], x-kubernetes-int-or-string: true}
                params: {type: object, additionalProperties: {type: string}}
                anything: {type: object, x-kubernetes-preserve-unknown-fields: true}
                nothing: {type: object}
                ports:
                  type: array
                  items: {type: object, properties: {name: {type: string}}}
"""
TOY = {
    "apiVersion": "ray.io/v1",
    "kind": "RayToy",
    "metadata": {"name": "toy", "labels": {"a": "b"}},
    "spec": {
        "rayVersion": "2.60.0",
        "replicas": 1,
        "ratio": None,
        "mode": "token",
        "memory": "1Gi",
        "params": {"whatever": "1"},
        "anything": {"goes": [1]},
        "nothing": {},
        "ports": [{"name": "dashboard"}],
    },
}


def printed(*options: str) -> str:
    result = CliRunner().invoke(make.app, ["kuberay", *options])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def schemas() -> dict[tuple[str, str], dict[str, Any]]:
    folder = os.environ.get(CRDS)
    if not folder:
        pytest.skip(f"{CRDS} names no folder with KubeRay's definitions; docs/cluster.md says where they are to be had")
    return read_schemas(Path(folder))


@pytest.mark.parametrize("make_file", FILES.values(), ids=FILES)
def test_kuberay_accepts_every_document(schemas: dict, make_file: Callable[[], str]) -> None:
    claim, *of_ray = yaml.safe_load_all(make_file())
    assert {one["kind"] for one in of_ray} == {"RayCluster", "RayJob"}
    for one in of_ray:
        assert refusals(one, schemas[one["apiVersion"], one["kind"]]) == []
    assert claim["kind"] == "PersistentVolumeClaim"
    assert refusals(claim["spec"], inner_schema(schemas["ray.io/v1", "RayCluster"], CLAIM)) == []


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("RayCluster", ("spec", "authOption"), {"mode": "token"}),
        ("RayCluster", ("spec", "authOptions", "mode"), "tokens"),
        ("RayCluster", ("spec", "autoscalerOptions", "idleTimeoutSeconds"), "600"),
        ("RayCluster", ("spec", "headGroupSpec", "rayStartParams", "num-gpus"), 0),
        ("RayCluster", ("spec", "headGroupSpec", "template", "spec", "securityContext", "runAsUsr"), 1000),
        ("RayCluster", ("spec", "workerGroupSpecs", 0, "template", "spec", "containers", 0, "volumeMount"), []),
        ("RayJob", ("spec", "clusterSelector", "ray.io/cluster"), 1),
        ("RayJob", ("spec", "maxRetries"), 1),
    ],
)
def test_kuberay_refuses_misspelt_fields_and_wrong_types(
    schemas: dict, kind: str, field: tuple[str | int, ...], value: object
) -> None:
    (manifest,) = (one for one in yaml.safe_load_all(kuberay_file(KubeRay())) if one["kind"] == kind)
    (refusal,) = refusals(changed(manifest, field, value), schemas["ray.io/v1", kind])
    assert str(field[-1]) in refusal


def changed(manifest: dict, field: tuple[str | int, ...], value: object) -> dict:
    made = copy.deepcopy(manifest)
    inner: Any = made
    for key in field[:-1]:
        inner = inner[key]
    inner[field[-1]] = value
    return made


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("definitions")
    (folder / "ray.io_raytoys.yaml").write_text(DEFINITION)
    return read_schemas(folder)["ray.io/v1", "RayToy"]


def test_a_valid_manifest_is_accepted(toy: dict) -> None:
    assert refusals(TOY, toy) == []


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (("spec", "rayVersion"), 2.6, "spec.rayVersion: 2.6 is not of type 'string'"),
        (("spec", "replica"), 1, "spec: .*'replica' was unexpected"),
        (("spec", "replicas"), "1", "spec.replicas: '1' is not of type 'integer'"),
        (("spec", "replicas"), -1, "spec.replicas: -1 is less than the minimum"),
        (("spec", "replicas"), None, "spec.replicas: None is not of type 'integer'"),
        (("spec", "mode"), "tokens", "spec.mode: 'tokens' is not one of"),
        (("spec", "memory"), 1.5, "spec.memory: 1.5 is not"),
        (("spec", "params", "num-gpus"), 0, "spec.params.num-gpus: 0 is not of type 'string'"),
        (("spec", "nothing", "unknown"), 1, "spec.nothing: .*'unknown' was unexpected"),
        (("spec", "ports", 0, "port"), 8265, "spec.ports.0: .*'port' was unexpected"),
        (("spec", "ports"), {"name": "dashboard"}, "spec.ports: .*is not of type 'array'"),
        (("specs",), {}, "manifest: .*'specs' was unexpected"),
        (("metadata", "label"), {}, "metadata: .*'label' was unexpected"),
        (("metadata", "labels", "a"), 1, "metadata.labels.a: 1 is not of type 'string'"),
        (("spec",), {}, "spec: 'rayVersion' is a required property"),
    ],
)
def test_an_invalid_manifest_is_refused(toy: dict, field: tuple, value: object, said: str) -> None:
    refused = refusals(changed(TOY, field, value), toy)
    assert refused
    assert all(re.match(said, each) for each in refused), refused


def test_a_folder_without_definitions_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("kind: ConfigMap\n")
    with pytest.raises(FileNotFoundError, match="expected CustomResourceDefinitions"):
        read_schemas(tmp_path)


def test_an_open_object_stays_open() -> None:
    schema = closed(
        {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"a": {"type": "string"}}}
    )
    assert refusals({"b": 1}, schema) == [] != refusals({"a": 1}, schema)


def test_the_entrypoint_is_one_plain_command() -> None:
    """The operator pastes it into a shell of the pod that submits the job, which would run what follows a `&&`."""
    job = next(one for one in yaml.safe_load_all(kuberay_file(KubeRay())) if one["kind"] == "RayJob")
    entrypoint = job["spec"]["entrypoint"].strip()
    words = shlex.split(entrypoint)
    assert shlex.join(words) == entrypoint
    assert words[:2] == ["python", "/home/ray/sweetspot/search/run.py"]
    assert {"--gpus-per-bench", "--max-benches"} <= set(words)
