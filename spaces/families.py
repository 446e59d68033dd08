"""The registry of model families, by the name that a space uses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from spaces.draw import Draw
from spaces.export_layout import ExportLayout
from spaces.objective_recipe import ObjectiveRecipe
from spaces.pack_shape import PackShape
from spaces.prior_runs import PriorRun, Slope
from spaces.qwen3_tts import LOSSES, SLOPES, Objective, QwenDraw, QwenLayout, QwenPackShape, QwenPriorRun, QwenRecipe


@dataclass(frozen=True)
class FamilyEntry:
    """What a family offers. Modules are dotted names, and imported only where they are needed."""

    module: str
    """Implements `trainable.family.protocol.Family`. Ledgers and exported adapters name the family by it."""
    draw: type[Draw]
    """Its required fields are not all in the draw of another family, so that records need not name the family."""
    losses: Mapping[str, str]
    """The parts of a loss in the order of a clip's row, each with its meaning."""
    objectives: tuple[str, ...]
    """The parts that a draw may minimise. The others are only logged."""
    loss_unit: str
    """As axes and model cards print it."""
    layouts: type[ExportLayout]
    """How trained weights are exported."""
    tags: tuple[str, ...]
    """Of model cards on the hub."""
    columns: Mapping[str, str]
    """Hyperparameters that a table of trials shows: field of the draw by heading."""
    recipe: type[ObjectiveRecipe] = ObjectiveRecipe
    prior_run: type[PriorRun] = PriorRun
    slopes: Mapping[str, Slope] = field(default_factory=dict)
    """The fields of `prior_run` from which it is predicted when a draw enters its band."""
    pack_shape: type[PackShape] | None = None
    """None: each trial has a model of its own, and the family needs no `why_not_packed` and no `build_pack`."""
    check: str | None = None
    """Offers `check_model`, `known_languages` and `why_not_packed` without torch. None: the family's workers check."""
    size: str | None = None
    """Offers `size_of` without torch. None: a forecast leaves out memory and minutes."""


FAMILIES = {
    "qwen3_tts": FamilyEntry(
        module="trainable.qwen3_tts.family",
        draw=QwenDraw,
        losses=LOSSES,
        objectives=tuple(Objective),
        loss_unit="nats per label",
        layouts=QwenLayout,
        tags=("lora",),
        columns={"rank": "rank", "α/r": "alpha_ratio", "LoRA lr": "lora_lr", "text lr": "text_projection_lr"},
        recipe=QwenRecipe,
        prior_run=QwenPriorRun,
        slopes=SLOPES,
        pack_shape=QwenPackShape,
        check="trainable.qwen3_tts.checkpoint.check",
        size="trainable.qwen3_tts.checkpoint.size",
    )
}


def family_entry(module: str) -> FamilyEntry:
    """The entry of the family in `module`. Raises KeyError where none is registered."""
    for entry in FAMILIES.values():
        if entry.module == module:
            return entry
    raise KeyError(f"expected one of {', '.join(entry.module for entry in FAMILIES.values())}, got {module}")


def layout_named(module: str, name: str) -> ExportLayout:
    """The layout of that name of the family in `module`. Raises KeyError for an unknown family, ValueError for a name
    that it does not have.
    """
    layouts = family_entry(module).layouts
    for layout in layouts:
        if layout == name:
            return layout
    raise ValueError(f"expected one of {', '.join(layouts)}, got {name!r}")


def entry_of(draw: Draw) -> FamilyEntry:
    """The entry of the family that this is a draw of."""
    return next(entry for entry in FAMILIES.values() if entry.draw is type(draw))


def read_draw(data: Any) -> Any:
    """A draw from its fields: of the first family that has all of them.

    Where none has, the first family's draw raises its pydantic.ValidationError.
    """
    if not isinstance(data, Mapping):
        return data
    kinds = [entry.draw for entry in FAMILIES.values()]
    return next((kind for kind in kinds if _fits(kind, data)), kinds[0]).model_validate(data)


def _fits(kind: type[Draw], data: Mapping[str, Any]) -> bool:
    required = {name for name, each in kind.model_fields.items() if each.is_required()}
    return required <= data.keys() <= kind.model_fields.keys()


AnyDraw = Annotated[SerializeAsAny[Draw], BeforeValidator(read_draw)]
"""A draw in a record: written with all its fields, and read as the draw of its family."""
