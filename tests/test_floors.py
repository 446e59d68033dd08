"""The house has floors: imports run one way, and heavy libraries live on one of them each."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("spaces", "trainable", "results", "search")
"""From the ground up: each may use those before it."""
FORBIDDEN = {
    "spaces": {"torch", "torchaudio", "transformers", "peft", "qwen_tts", "ray", "optuna"},
    "trainable": {"ray", "optuna"},
    "results": {"ray", "optuna"},
    "search": {"transformers", "peft", "qwen_tts"},
}
FILES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; name the package"
            names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path):
    floor = path.relative_to(ROOT).parts[0]
    above = set(FLOORS[FLOORS.index(floor) + 1 :])
    assert not imported(path) & (above | FORBIDDEN[floor] | {"tests", "demo"})


def test_no_module_of_the_search_bears_a_librarys_name():
    """`python search/run.py` puts search/ first on the path, where such a module would hide the library."""
    taken = {*sys.stdlib_module_names, *packages_distributions(), *FLOORS}
    assert not {path.stem for path in (ROOT / "search").glob("*.py")} - {"__init__"} & taken
