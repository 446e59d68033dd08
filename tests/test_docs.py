"""The documents about the code name what is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.rooms import ROOMS

STRUCTURE = (ROOT / "docs" / "structure.md").read_text(encoding="utf-8")
PATHS = re.compile(r"`((?:search|results|trainable|spaces|tests|docs|demo|clusters)/[\w./-]*)`")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))


def test_every_room_has_its_line_in_the_structure() -> None:
    rooms = [ROOT / room.replace(".", "/") for room in ROOMS]
    for room in (room for room in rooms if room.is_dir()):
        about = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
        line = f"| `{room.relative_to(ROOT).as_posix()}/` | {' '.join(about.split())} |"
        assert line in STRUCTURE.splitlines()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_path_that_a_document_names_is_there(document: str) -> None:
    named = PATHS.findall((ROOT / document).read_text(encoding="utf-8"))
    assert [path for path in named if "NAME" not in path and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_link_within_the_project_leads_somewhere(document: str) -> None:
    folder = Path(ROOT / document).parent
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / document).read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (folder / link).exists()] == []
