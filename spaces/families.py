"""The model families known here, by the name that a space gives them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FamilyEntry:
    """Where a family is found: dotted names of modules, each imported only where it is needed."""

    module: str
    """Implements `trainable.family.protocol.Family`. Ledgers and exported adapters name the family by it."""
    check: str | None = None
    """Knows without torch what can be trained: `check_model`, `why_not_packed`. None: the family's workers find out."""
    size: str | None = None
    """Knows without torch how large a model is: `size_of`. None: a forecast says nothing of memory or minutes."""


FAMILIES = {
    "qwen3_tts": FamilyEntry(
        module="trainable.qwen3_tts.family",
        check="trainable.qwen3_tts.checkpoint.check",
        size="trainable.qwen3_tts.checkpoint.size",
    )
}


def family_entry(module: str) -> FamilyEntry:
    """The entry of the family that lives in `module`; one without facts where the module is not registered."""
    return next((entry for entry in FAMILIES.values() if entry.module == module), FamilyEntry(module))
