"""The house has floors and rooms: imports run one way, and heavy libraries live on one floor each."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from setuptools import find_packages

from tests.support.paths import ROOT
from tests.support.rooms import FLOORS, ROOMS

FORBIDDEN = {
    "spaces": {"torch", "torchaudio", "transformers", "peft", "qwen_tts", "ray", "optuna"},
    "trainable": {"ray", "optuna"},
    "results": {"ray", "optuna"},
    "search": {"transformers", "peft", "qwen_tts"},
}
FILES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}


def imported(path: Path) -> set[str]:
    """Modules that a file imports anywhere in it, by their dotted names; names that come out of one stand behind it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; name the package"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room_of(name: str) -> str:
    """The room of a module, or of a name that comes out of one."""
    while name not in MODULES:
        name = name.rpartition(".")[0]
    if name in ROOMS:
        return name
    return name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_floors_import_one_way(path: Path) -> None:
    floor = path.relative_to(ROOT).parts[0]
    above = set(FLOORS[FLOORS.index(floor) + 1 :])
    assert not {name.partition(".")[0] for name in imported(path)} & (above | FORBIDDEN[floor] | {"tests", "demo"})


@pytest.mark.parametrize("module", sorted(MODULES))
def test_rooms_import_one_way(module: str) -> None:
    own = ROOMS.index(room_of(module))
    used = {room_of(name) for name in imported(MODULES[module]) if name.partition(".")[0] in FLOORS}
    assert not {room for room in used if ROOMS.index(room) > own}


def test_every_room_stands_in_the_table_and_says_what_it_is_for() -> None:
    rooms = {".".join(path.parent.relative_to(ROOT).parts) for path in FILES}
    assert rooms == {name for name in ROOMS if name not in MODULES or MODULES[name].name == "__init__.py"}
    assert all(
        ast.get_docstring(ast.parse((ROOT / room.replace(".", "/") / "__init__.py").read_text())) for room in rooms
    )


def test_every_room_is_installed() -> None:
    """`pip install` finds packages by their `__init__.py`: a folder without one would be missing on every node."""
    found = find_packages(str(ROOT), include=[f"{floor}*" for floor in FLOORS])
    assert set(found) == {".".join(path.parent.relative_to(ROOT).parts) for path in FILES}


def test_nothing_of_the_search_bears_a_librarys_name() -> None:
    """`python search/run.py` puts search/ first on the path, where such a module or folder would hide the library."""
    taken = {*sys.stdlib_module_names, *packages_distributions(), *FLOORS}
    own = {path.stem for path in (ROOT / "search").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not (own - {"__init__", "__pycache__"}) & taken


def test_no_test_file_imports_another() -> None:
    """What several of them need lies in tests/support, fixtures in a conftest file."""
    for path in (ROOT / "tests").rglob("*.py"):
        modules = {name.rpartition(".")[0] for name in imported(path)} | imported(path)
        assert not {name for name in modules if name.startswith("tests.") and ".test_" in f".{name}"}, path
