"""Compares the Python, libraries and source of two nodes. Only the standard library is imported.

Ray sends this module to nodes by value, so that a node with another copy of the project, or with none, can be asked.
"""

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


def versions() -> dict[str, str]:
    """Of this node's Python and libraries by name, and under `source` a digest of the project's own files."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = MISSING
    return {**found, SOURCE: _source_digest()}


def differences(node: Mapping[str, str], driver: Mapping[str, str]) -> list[str]:
    """How the `versions` of a node differ from the driver's, each with its remedy."""
    found = [
        f"{name} {node.get(name, MISSING)}, and {wanted} on the driver's node: install the same on every node"
        for name, wanted in driver.items()
        if name != SOURCE and node.get(name, MISSING) != wanted
    ]
    if node.get(SOURCE) != driver.get(SOURCE):
        what = "no copy of the project" if node.get(SOURCE) == MISSING else "another copy of the project"
        found.append(f"{what} than the driver's node: bring it there again (`ray up` does), or install it there")
    return found


def _source_digest() -> str:
    """Of the names and contents of all source files; `none` where a package is missing."""
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
