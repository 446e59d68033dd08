"""A space: the domain of every hyperparameter, a band per objective, and the budget; read from a TOML file."""

from __future__ import annotations

import difflib
import itertools
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import (
    BaseModel,
    Field,
    SerializeAsAny,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from spaces.band import AutoBand, Band, RelativeBand, resolve_band
from spaces.data_settings import DataSettings
from spaces.domain import Domain
from spaces.draw import Draw
from spaces.errors import InputError
from spaces.families import FAMILIES, FamilyEntry
from spaces.frozen_model import FrozenModel
from spaces.grades import Grades
from spaces.objective_recipe import ObjectiveRecipe
from spaces.prior_runs import PriorRun
from spaces.probe_settings import ProbeSettings

FOLDER = Path(__file__).parent
DEFAULT_FAMILY = "qwen3_tts"


class Budget(FrozenModel):
    """When a search stops starting trials."""

    trials: int = Field(ge=1)
    accept: int | None = Field(default=None, ge=1, description="stop after this many accepted adapters")
    hours: float | None = Field(default=None, gt=0, description="wall-clock hours")
    gpu_hours: float | None = Field(default=None, gt=0, description="GPU hours, shared by the seats of a pack")
    patience: int | None = Field(
        default=None, ge=1, description="trials within which the best accepted score must rise by more than 1 %"
    )


class Space(FrozenModel):
    """Everything that defines a search besides the data, the seed and the machine."""

    name: str
    about: str
    family: str = DEFAULT_FAMILY
    model: str = Field(description="a hub id, or a folder; ./ is relative to the space's file")
    language: str = Field(default="auto", description="auto, or a language that the model knows")
    draw: dict[str, Domain]
    objective: dict[str, SerializeAsAny[ObjectiveRecipe]]
    budget: Budget
    probe: ProbeSettings
    data: DataSettings = DataSettings()
    grades: Grades = Grades()
    evidence: tuple[SerializeAsAny[PriorRun], ...] = ()
    """Published runs on other voices: they guide the first draws, and are no trials of this search."""

    @field_validator("family")
    @classmethod
    def _known(cls, family: str) -> str:
        if family not in FAMILIES:
            raise ValueError(f"expected one of {', '.join(FAMILIES)}, got {family!r}")
        return family

    @field_validator("objective", mode="before")
    @classmethod
    def _recipes_of_its_family(cls, data: Any, info: ValidationInfo) -> Any:
        return TypeAdapter(dict[str, _entry(info.data).recipe]).validate_python(data)  # type: ignore[arg-type, misc]

    @field_validator("evidence", mode="before")
    @classmethod
    def _prior_runs_of_its_family(cls, data: Any, info: ValidationInfo) -> Any:
        return TypeAdapter(tuple[_entry(info.data).prior_run, ...]).validate_python(data)  # type: ignore[arg-type, misc]

    @model_validator(mode="after")
    def _boundary_values_are_valid(self) -> Space:
        """Builds a draw from every boundary value of every domain, so that no trial can get an invalid draw."""
        objectives = self.objectives
        missing = [name for name in objectives if name not in self.objective]
        if missing:
            raise ValueError(f"objective {missing[0]!r} needs a section [objective.{missing[0]}] with band and targets")
        entry = FAMILIES[self.family]
        needed = {name for name, field in entry.draw.model_fields.items() if field.is_required()} - {"objective"}
        absent = sorted(needed - set(entry.recipe.draw_fields) - set(self.draw))
        if absent:
            raise ValueError(f"[draw] needs {', '.join(absent)}: a value, a list of values, or {{ low = …, high = … }}")
        for name in entry.recipe.draw_fields:
            if name in self.draw:
                sections = " or ".join(f"[objective.{objective}]" for objective in entry.objectives)
                raise ValueError(f"{name} belong to an objective: move them to {sections}")
        first = {name: domain.boundary_values()[0] for name, domain in self.draw.items()}
        for name, domain in self.draw.items():
            for value in domain.boundary_values():
                self.to_draw({**first, name: value})
        for objective in objectives:
            for name, choices in self.objective[objective].choices.items():
                for choice in choices:
                    self.to_draw({**first, "objective": objective, name: choice})
        uses_copies = self.bounds("augmented")[1] > 0
        if uses_copies and self.data.augment is None:
            raise ValueError("draw.augmented needs augmented copies of clips: add a section [data.augment]")
        if not uses_copies and self.data.augment is not None:
            raise ValueError("[data.augment] makes copies that no draw uses: add draw.augmented, for example 0.5")
        return self

    @property
    def objectives(self) -> tuple[str, ...]:
        domain, known = self.draw.get("objective"), FAMILIES[self.family].objectives
        if domain is None:
            raise ValueError(f"[draw] needs objective: {', '.join(known)}, or a list of several")
        names = [str(value) for value in domain.boundary_values()]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(f"[draw] objective: expected {' or '.join(known)}, got {unknown[0]!r}")
        return tuple(names)

    @property
    def recipes(self) -> dict[str, ObjectiveRecipe]:
        """The recipes of the objectives that are searched."""
        return {name: self.objective[name] for name in self.objectives}

    def band(self, objective: str) -> Band | None:
        """The band of an objective; of a moving band, the interval that it moves in.

        None without a band, and for shares of a loss that is not known, see `with_base`.
        """
        band = resolve_band(self.objective[objective].band, None)
        return band.auto_within if isinstance(band, AutoBand) else band

    def is_auto(self, objective: str) -> bool:
        """Whether the band moves to where adapters are accepted."""
        return isinstance(self.objective[objective].band, (AutoBand, RelativeBand))

    def with_base(self, losses: Mapping[str, float]) -> Space:
        """The space for a voice on which the base model has these losses by objective: bands and prior runs in nats.

        Where a band comes from shares, the losses of prior runs count as shares of their own start, and those whose
        start is unknown are left out.
        """
        recipes, from_shares = dict(self.objective), {}
        for name in self.objectives:
            before, base = self.objective[name].band, losses.get(name)
            band = resolve_band(before, base)
            recipes[name] = self.objective[name].model_copy(update={"band": band})
            if base is not None and isinstance(band, AutoBand) and band != before:
                from_shares[name] = base
        evidence = tuple(
            prior.scaled(from_shares[prior.objective]) if prior.objective in from_shares else prior
            for prior in self.evidence
            if prior.objective not in from_shares or prior.start is not None
        )
        return self.model_copy(update={"objective": recipes, "evidence": evidence})

    def bounds(self, name: str) -> tuple[float, float]:
        """The lowest and the highest value of a numeric field of a draw; its default where the space leaves it out."""
        domain = self.draw.get(name)
        values = domain.boundary_values() if domain else (FAMILIES[self.family].draw.model_fields[name].default,)
        numbers = [value for value in values if isinstance(value, (int, float))]
        return min(numbers), max(numbers)

    def to_draw(self, values: Mapping[str, Any]) -> Draw:
        """A draw from one value per field of `draw`. Fields of the objective's section have their first choices unless
        others are given.

        Raises pydantic.ValidationError for a value that its field does not allow.
        """
        choices = self.objective[values["objective"]].choices
        return FAMILIES[self.family].draw(**{**{name: each[0] for name, each in choices.items()}, **values})


def _entry(data: Mapping[str, Any]) -> FamilyEntry:
    """The entry of the space's family, or of the default one where it is unknown."""
    return FAMILIES.get(data.get("family", DEFAULT_FAMILY), FAMILIES[DEFAULT_FAMILY])


def load_space(name_or_path: str) -> Space:
    """The shipped space of that name, or the space in that TOML file.

    Raises InputError with the file, the key, what was expected and what to do.
    """
    path = FOLDER / f"{name_or_path}.toml"
    if not path.is_file():
        path = Path(name_or_path)
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in FOLDER.glob("*.toml")))
        raise InputError(f"no space {name_or_path!r}: it is neither one of {names} nor a TOML file")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML ({error})") from None
    _check_draw_fields(path, data)
    try:
        space = Space.model_validate(data)
    except ValidationError as error:
        raise InputError(_explain(path, error)) from None
    if space.model.startswith("."):
        space = space.model_copy(update={"model": str((path.parent / space.model).resolve())})
    return space


def _check_draw_fields(path: Path, data: dict[str, Any]) -> None:
    draw = data.get("draw")
    fields = _entry(data).draw.model_fields
    for key in draw if isinstance(draw, dict) else ():
        if key not in fields:
            raise InputError(f"{path}: unknown key draw.{key}{_suggestion(key, fields)}")


UNION_TAGS = ("interval", "choice", "fixed", "fixed_band", "auto_band", "relative_band", "replaceable_band")
"""Tags of pydantic unions, which appear in the location of an error and are no part of a key."""


def _explain(path: Path, error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        parts = [str(part) for part in problem["loc"] if part not in UNION_TAGS]
        key = ".".join(parts) or "the file"
        if problem["type"] == "extra_forbidden":
            lines.append(f"{path}: unknown key {key}{_suggestion(parts[-1], _known_keys(parts))}")
        elif problem["type"] == "missing":
            lines.append(f"{path}: {key} is missing; add it (see {FOLDER / 'voice.toml'} for an example)")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            got = "" if isinstance(problem["input"], (dict, BaseModel)) else f", got {problem['input']!r}"
            lines.append(f"{path}: {key}: {message}{got if got not in message else ''}")
    return "\n".join(lines)


def _known_keys(parts: list[str]) -> set[str]:
    """The keys that are allowed in the section of the last part."""
    models: list[type[BaseModel]] = [Space]
    for part in parts[:-1]:
        found = [model.model_fields[part].annotation for model in models if part in model.model_fields]
        # A part that is no field is a key of a dictionary or an index of a list.
        models = [inner for annotation in found for inner in _models_in(annotation)] or models
    return set(itertools.chain.from_iterable(model.model_fields for model in models))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation, *annotation.__subclasses__()]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _suggestion(key: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(key, names, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known here: {', '.join(names)}"
