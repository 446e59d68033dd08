"""Which Python, libraries and source a node has. Only the standard library: Ray carries this module to nodes as it is
here, so that a node with another copy of the project, or with none, can be asked too.
"""

from __future__ import annotations

import hashlib
import importlib.util
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("ray", "torch", "transformers", "sweetspot")
SOURCE = "source"
PACKAGES = ("spaces", "trainable", "results", "search")
SUFFIXES = (".py", ".toml", ".txt")
MISSING = "none"


def identity() -> dict[str, str]:
    """Versions by name, and under `source` a digest of the project's own files."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = MISSING
    return {**found, SOURCE: _digest()}


def differences(there: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """What a node has otherwise than this one, each with its remedy; empty where all is equal."""
    told = [
        f"{name} {there.get(name, MISSING)}, and {wanted} on the driver's node: install the same on every node"
        for name, wanted in here.items()
        if name != SOURCE and there.get(name, MISSING) != wanted
    ]
    if there.get(SOURCE) != here.get(SOURCE):
        what = "no copy of the project" if there.get(SOURCE) == MISSING else "another copy of the project"
        told.append(f"{what} than the driver's node: bring it there again (`ray up` does), or install it there")
    return told


def _digest() -> str:
    """Of names and contents; `none` where a package is missing."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            return MISSING
        folder = Path(next(iter(spec.submodule_search_locations)))
        for path in sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES):
            digest.update(f"{package}/{path.relative_to(folder)}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
