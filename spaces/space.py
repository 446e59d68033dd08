"""A space: domains to search, the fixed recipe, the band per objective, the budget. A TOML file."""

from __future__ import annotations

import difflib
import itertools
import tomllib
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from spaces.band import AutoBand, Band
from spaces.data_settings import DataSettings
from spaces.domain import Domain
from spaces.draw import Draw, Objective
from spaces.errors import InputError
from spaces.families import FAMILIES
from spaces.grades import Grades
from spaces.prior_runs import PriorRun
from spaces.probe_settings import ProbeSettings

FOLDER = Path(__file__).parent


def _kind_of_band(data: Any) -> str:
    is_auto = isinstance(data, AutoBand) or (isinstance(data, dict) and "auto_within" in data)
    return "auto_band" if is_auto else "fixed_band"


class ObjectiveRecipe(BaseModel):
    """What belongs to one objective: its band, and where its LoRA goes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    band: Annotated[
        Annotated[Band, Tag("fixed_band")] | Annotated[AutoBand, Tag("auto_band")], Discriminator(_kind_of_band)
    ]
    targets: str | tuple[str, ...]
    """One choice, or several to search over."""

    @property
    def target_choices(self) -> tuple[str, ...]:
        return (self.targets,) if isinstance(self.targets, str) else self.targets

    @field_validator("targets")
    @classmethod
    def _are_different(cls, targets: str | tuple[str, ...]) -> str | tuple[str, ...]:
        choices = (targets,) if isinstance(targets, str) else targets
        if not all(choices) or not 0 < len(choices) == len(set(choices)):
            raise ValueError(f"expected one choice of targets, or a list of different ones, got {targets!r}")
        return targets

    @field_validator("band", mode="before")
    @classmethod
    def _is_said(cls, band: Any) -> Any:
        if isinstance(band, (list, tuple, dict, Band, AutoBand)):
            return band
        raise ValueError(
            "expected [low, high], { low = …, high = …, aim = [from, to] }, or, for a band that the probe's verdicts "
            f"find, {{ auto_within = [low, high] }}, got {band!r}"
        )


class Budget(BaseModel):
    """When a search stops handing out draws."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trials: int = Field(ge=1)
    accept: int | None = Field(default=None, ge=1, description="enough accepted adapters")
    hours: float | None = Field(default=None, gt=0, description="wall-clock hours")
    gpu_hours: float | None = Field(default=None, gt=0, description="hours of GPUs, neighbours in a pack sharing them")
    patience: int | None = Field(
        default=None, ge=1, description="ended trials in which the best accepted score has to rise by more than 1 %"
    )


class Space(BaseModel):
    """Everything a search needs to know besides the data, the seed and the machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    about: str
    family: str = "qwen3_tts"
    model: str = Field(description="a hub id, or a folder; ./ is relative to the space's file")
    language: str = Field(default="auto", description="auto, or a language the model knows; the same in every step")
    draw: dict[str, Domain]
    objective: dict[Objective, ObjectiveRecipe]
    budget: Budget
    probe: ProbeSettings
    data: DataSettings = DataSettings()
    grades: Grades = Grades()
    evidence: tuple[PriorRun, ...] = ()
    """Of other voices: it helps to begin, and is no trial of this one."""

    @field_validator("family")
    @classmethod
    def _known(cls, family: str) -> str:
        if family not in FAMILIES:
            raise ValueError(f"expected one of {', '.join(FAMILIES)}, got {family!r}")
        return family

    @model_validator(mode="after")
    def _every_end_is_a_draw(self) -> Space:
        """Build a draw from each end of each domain, so that no trial can be handed an impossible one."""
        objectives = self.objectives
        missing = [name for name in objectives if name not in self.objective]
        if missing:
            raise ValueError(f"objective {missing[0]!r} needs a section [objective.{missing[0]}] with band and targets")
        needed = {name for name, field in Draw.model_fields.items() if field.is_required()} - {"targets", "objective"}
        absent = sorted(needed - set(self.draw))
        if absent:
            raise ValueError(f"[draw] needs {', '.join(absent)}: a value, a list of values, or {{ low = …, high = … }}")
        if "targets" in self.draw:
            raise ValueError("targets belong to an objective: move them to [objective.guide] or [objective.aligned]")
        middle = {name: domain.boundary_values()[0] for name, domain in self.draw.items()}
        for name, domain in self.draw.items():
            for end in domain.boundary_values():
                self.to_draw({**middle, name: end})
        for objective in objectives:
            for targets in self.objective[objective].target_choices:
                self.to_draw({**middle, "objective": objective, "targets": targets})
        taken = self.draw["augmented"].boundary_values() if "augmented" in self.draw else (0,)
        if max(taken) > 0 and self.data.augment is None:
            raise ValueError(
                "draw.augmented takes changed copies of clips: add a section [data.augment] that says which"
            )
        if max(taken) == 0 and self.data.augment is not None:
            raise ValueError("[data.augment] makes copies that no draw takes: add draw.augmented, for example 0.5")
        return self

    @property
    def objectives(self) -> tuple[Objective, ...]:
        domain = self.draw.get("objective")
        if domain is None:
            raise ValueError("[draw] needs objective: guide, aligned, or a list of both")
        unknown = [end for end in domain.boundary_values() if end not in list(Objective)]
        if unknown:
            raise ValueError(f"[draw] objective: expected {' or '.join(Objective)}, got {unknown[0]!r}")
        return tuple(Objective(end) for end in domain.boundary_values())

    @property
    def recipes(self) -> dict[Objective, ObjectiveRecipe]:
        """Of the objectives that are searched."""
        return {name: self.objective[name] for name in self.objectives}

    def band(self, objective: Objective) -> Band:
        """The band; of one that moves, the interval that it moves in."""
        band = self.objective[objective].band
        return band.auto_within if isinstance(band, AutoBand) else band

    def is_auto(self, objective: Objective) -> bool:
        """Whether the band moves to where adapters are accepted."""
        return isinstance(self.objective[objective].band, AutoBand)

    def to_draw(self, values: dict[str, Any]) -> Draw:
        """A draw from one value per searched field. The targets are the objective's own, the first where it has several
        and none are given.

        Raises pydantic.ValidationError when a value is outside what the field can be.
        """
        recipe = self.objective[Objective(values["objective"])]
        return Draw(**{"targets": recipe.target_choices[0], **values})


def load_space(name_or_path: str) -> Space:
    """The space of that name, or of that TOML file.

    Raises InputError that names the file, the key, what was expected and what to do.
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
    _refuse_unknown_draw_fields(path, data)
    try:
        space = Space.model_validate(data)
    except ValidationError as error:
        raise InputError(_explain(path, error)) from None
    if space.model.startswith("."):
        space = space.model_copy(update={"model": str((path.parent / space.model).resolve())})
    return space


def _refuse_unknown_draw_fields(path: Path, data: dict[str, Any]) -> None:
    draw = data.get("draw")
    for key in draw if isinstance(draw, dict) else ():
        if key not in Draw.model_fields:
            raise InputError(f"{path}: unknown key draw.{key}{_suggestion(key, Draw.model_fields)}")


UNION_TAGS = ("interval", "choice", "fixed", "fixed_band", "auto_band")
"""Which of several forms a value was read as; no part of a key."""


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
    """What may stand in the section that the last of these parts was found in."""
    models = [Space]
    for part in parts[:-1]:
        found = [model.model_fields[part].annotation for model in models if part in model.model_fields]
        # A name that is no field is a key of a dictionary, or a place in a list.
        models = [inner for annotation in found for inner in _models_in(annotation)] or models
    return set(itertools.chain.from_iterable(model.model_fields for model in models))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _suggestion(key: str, known: Any) -> str:
    close = difflib.get_close_matches(key, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; known here: {', '.join(sorted(known))}"
