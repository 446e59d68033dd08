"""Records what a search judges by, before its first trial: criteria, constants, lines, settings, a fingerprint."""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from spaces.frozen_model import FrozenModel
from spaces.probe_settings import ProbeSettings
from spaces.records.verdict import ProbeLine
from trainable.files.atomic import write_text
from trainable.probe.criteria.calibration import Calibration
from trainable.probe.criteria.explain import CriterionRow, criteria_rows

FILE = "judge.json"
DECIDING = (
    "trainable.probe.criteria",
    "trainable.probe.measures",
    "trainable.speech.asr",
    "trainable.speech.text",
    "trainable.speech.activity",
    "trainable.speech.tempo",
    "trainable.speech.vad",
    "spaces.records.interval",
)
"""Rooms and modules whose constants can change a verdict or a score."""


class JudgeFingerprint(FrozenModel):
    """What all verdicts of a search are judged by."""

    fingerprint: str
    """Of all fields below; a verdict carries it as `judge`."""
    criteria: tuple[CriterionRow, ...]
    constants: dict[str, Any]
    """Every constant of the modules that a verdict comes from."""
    lines: str
    """SHA-256 of the lines, in their order; likewise below."""
    confirmation: str
    settings: str
    """Of the recogniser, the language and the sampling."""
    calibration: str
    """Of all measures of the voice."""
    seed: int

    def write(self, folder: Path) -> None:
        write_text(folder / FILE, self.model_dump_json(indent=1))

    @classmethod
    def read(cls, folder: Path) -> JudgeFingerprint | None:
        """None where there is none that this version knows."""
        try:
            return cls.model_validate_json((folder / FILE).read_text(encoding="utf-8"))
        except (OSError, ValidationError):
            return None


def fingerprint_judge(
    calibration: Calibration,
    settings: ProbeSettings,
    lines: Sequence[ProbeLine],
    confirmation: Sequence[ProbeLine],
    seed: int,
) -> JudgeFingerprint:
    """Equal for equal criteria, on every machine. The base model's own results are left out."""
    voice = calibration.model_dump(mode="json", exclude={"base_similarity", "base_heard"})
    rows = criteria_rows(calibration.own, calibration.similarity_least)
    content = {
        "criteria": [row.model_dump(mode="json") for row in rows],
        "constants": deciding_constants(),
        "lines": _sha256([line.model_dump(mode="json") for line in lines]),
        "confirmation": _sha256([line.model_dump(mode="json") for line in confirmation]),
        "settings": _sha256(settings.model_dump(mode="json")),
        "calibration": _sha256(voice),
        "seed": seed,
    }
    judged_by = {**content, "criteria": [(row.flag, row.measure, str(row.healthy)) for row in rows]}
    return JudgeFingerprint(fingerprint=_sha256(judged_by), **content)


def deciding_constants() -> dict[str, Any]:
    """The constants of all `DECIDING` modules, by module and name. They are found, so that none is forgotten."""
    return {
        f"{module.__name__}.{name}": _as_json(value)
        for module, names in _modules()
        for name in names
        if _is_data(value := getattr(module, name))
    }


@cache
def _modules() -> tuple[tuple[ModuleType, tuple[str, ...]], ...]:
    """Each module with the names of its constants."""
    parents = [importlib.import_module(name) for name in DECIDING]
    children = [
        importlib.import_module(f"{parent.__name__}.{child.name}")
        for parent in parents
        for child in pkgutil.iter_modules(getattr(parent, "__path__", ()))
    ]
    return tuple((module, tuple(_assigned_names(module))) for module in (*parents, *children))


def _assigned_names(module: ModuleType) -> Iterator[str]:
    """Names in upper case that the module itself assigns at its top level."""
    for statement in ast.parse(inspect.getsource(module)).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else ()
        targets = (statement.target,) if isinstance(statement, ast.AnnAssign) else targets
        for node in (node for target in targets for node in ast.walk(target)):
            if isinstance(node, ast.Name) and node.id.isupper():
                yield node.id


def _is_data(value: Any) -> bool:
    """Whether a constant is a number, a text, or made of them; folders and functions are not."""
    if isinstance(value, dict):
        return all(map(_is_data, value.values()))
    if isinstance(value, (tuple, list, set, frozenset)):
        return all(map(_is_data, value))
    return isinstance(value, (bool, int, float, str, re.Pattern, range))


def _as_json(value: Any) -> Any:
    if isinstance(value, re.Pattern):
        return value.pattern
    if isinstance(value, dict):
        return {str(key): _as_json(each) for key, each in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(_as_json, value))
    if isinstance(value, (tuple, list)):
        return [_as_json(each) for each in value]
    return str(value) if isinstance(value, range) else value


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
