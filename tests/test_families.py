"""The boundary of a model family: its entry is sound, and no module outside its own names what is its alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from spaces.families import FAMILIES, FamilyEntry
from spaces.prior_runs import PriorRun
from tests.support.paths import ROOT
from tests.support.rooms import FLOORS

NAMES = {"rank", "guide", "aligned", "codebook"}
"""Of Qwen3-TTS, as an attribute, a keyword or a whole string."""
FIELDS = {"alpha_ratio", "lora_lr", "text_projection", "text_projection_lr", "sub_shifted", "sub_weight", "sub_frames"}
"""Of Qwen3-TTS, also within a string."""
OWN = ("trainable/qwen3_tts/", "spaces/qwen3_tts.py", "spaces/families.py")
ALLOWED = {
    ("trainable/family/process_group.py", "rank"): "of a process",
    ("trainable/training/trial_trainer.py", "rank"): "of a process",
    ("trainable/dataset/checks/dataset.py", "guide"): "a check named after the public guide",
    ("trainable/inspect.py", "text_projection"): "a command about Qwen3-TTS checkpoints",
}
IMPORTERS = {"spaces/families.py", "trainable/inspect.py", "trainable/probe/speaker/qwen_encoder.py"}
"""Modules outside the family that import it: the registry, a command about its checkpoints, and the speaker encoder in
such a checkpoint."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if not name.startswith(OWN):
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def mentioned(tree: ast.Module) -> set[str]:
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found |= {node.attr} & (NAMES | FIELDS)
        elif isinstance(node, ast.keyword):
            found |= {node.arg or ""} & (NAMES | FIELDS)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            found |= ({node.value} & NAMES) | (set(re.findall(r"\w+", node.value)) & FIELDS)
    return found


def test_no_other_module_names_what_is_qwen3_tts_alone() -> None:
    assert {(name, word) for name, tree in modules() for word in mentioned(tree)} == ALLOWED.keys()


def test_no_other_module_imports_a_family() -> None:
    importers = {
        str(path.relative_to(ROOT))
        for floor in FLOORS
        for path in (ROOT / floor).rglob("*.py")
        if re.search(r"^\s*from (spaces|trainable)\.qwen3_tts\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {name for name in importers if not name.startswith(OWN[:2])} == IMPORTERS


@pytest.mark.parametrize("entry", FAMILIES.values(), ids=FAMILIES)
def test_an_entry_names_fields_that_are_there(entry: FamilyEntry) -> None:
    fields = entry.draw.model_fields.keys()
    own_of_prior = entry.prior_run.model_fields.keys() - PriorRun.model_fields.keys()
    assert set(entry.objectives) <= entry.losses.keys()
    assert {*entry.columns.values(), *entry.recipe.draw_fields, *own_of_prior} <= fields
    assert entry.slopes.keys() <= own_of_prior
    for module in (entry.module, entry.check, entry.size):
        assert module is None or (ROOT / Path(*module.split("."))).with_suffix(".py").is_file()


def test_the_family_of_a_draw_is_known_by_its_fields() -> None:
    """Records do not name the family of a draw."""
    entries = list(FAMILIES.values())
    kinds = {entry.draw for entry in entries}
    for one in kinds:
        for other in kinds - {one}:
            required = {name for name, field in one.model_fields.items() if field.is_required()}
            assert not required <= other.model_fields.keys()
