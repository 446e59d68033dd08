"""Validates a manifest against KubeRay's schemas, as Kubernetes does.

`kubectl apply` refuses unknown fields, so objects are closed here unless their schema says otherwise. CEL rules
(`x-kubernetes-validations`), list keys and the checks of the operator are not covered.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

Schema = dict[str, Any]
CLAIM = ("spec", "headGroupSpec", "template", "spec", "volumes", "ephemeral", "volumeClaimTemplate", "spec")
"""The path of a PersistentVolumeClaim's spec in the schema of a RayCluster."""
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_METADATA = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "namespace": {"type": "string"},
        "labels": _TEXTS,
        "annotations": _TEXTS,
    },
    "additionalProperties": False,
}
"""Kubernetes has its own schema for metadata; definitions only say that there are some."""


def read_schemas(folder: Path) -> dict[tuple[str, str], Schema]:
    """JSON Schemas by `apiVersion` and `kind`, from the CustomResourceDefinitions in `folder/*.yaml`.

    Raises FileNotFoundError if there are none.
    """
    found: dict[tuple[str, str], Schema] = {}
    for path in sorted(folder.glob("*.yaml")):
        definition = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        if definition["kind"] != "CustomResourceDefinition":
            continue
        spec = definition["spec"]
        for version in spec["versions"]:
            schema = closed(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = _METADATA
            found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    if not found:
        raise FileNotFoundError(f"{folder}: expected CustomResourceDefinitions in *.yaml, found none")
    return found


def closed(schema: Mapping[str, Any]) -> Schema:
    """Converts a structural OpenAPI schema of Kubernetes to a JSON Schema that refuses unknown fields."""
    made = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-") and key != "nullable"}
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    elif schema.get("nullable"):
        made["type"] = [schema["type"], "null"]
    if "properties" in schema:
        made["properties"] = {name: closed(inner) for name, inner in schema["properties"].items()}
    if "items" in schema:
        made["items"] = closed(schema["items"])
    if isinstance(schema.get("additionalProperties"), Mapping):
        made["additionalProperties"] = closed(schema["additionalProperties"])
    elif (
        schema.get("type") == "object"
        and "additionalProperties" not in schema
        and not schema.get("x-kubernetes-preserve-unknown-fields")
    ):
        made["additionalProperties"] = False
    return made


def inner_schema(schema: Mapping[str, Any], fields: tuple[str, ...]) -> Schema:
    """The schema of the field at this path, which may lead through lists."""
    for name in fields:
        schema = schema["properties"][name]
        schema = schema.get("items", schema)
    return dict(schema)


def refusals(manifest: Any, schema: Schema) -> list[str]:
    """The fields that Kubernetes would refuse, and why; empty for a valid manifest."""
    errors = Draft202012Validator(schema).iter_errors(manifest)
    return sorted(f"{'.'.join(map(str, error.absolute_path)) or 'manifest'}: {error.message}" for error in errors)
