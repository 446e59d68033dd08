"""The registry of model families, by the name that a space uses."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FamilyEntry:
    """Dotted module names of a family. Each module is imported only where it is needed."""

    module: str
    """Implements `trainable.family.protocol.Family`. Ledgers and exported adapters name the family by it."""
    check: str | None = None
    """Offers `check_model` and `why_not_packed` without torch. None: the family's workers check."""
    size: str | None = None
    """Offers `size_of` without torch. None: a forecast leaves out memory and minutes."""


FAMILIES = {
    "qwen3_tts": FamilyEntry(
        module="trainable.qwen3_tts.family",
        check="trainable.qwen3_tts.checkpoint.check",
        size="trainable.qwen3_tts.checkpoint.size",
    )
}


def family_entry(module: str) -> FamilyEntry:
    """The entry of the family in `module`; an entry without torch-free modules where it is not registered."""
    return next((entry for entry in FAMILIES.values() if entry.module == module), FamilyEntry(module))
