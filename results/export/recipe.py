"""The recipe of a trial: a space with every value fixed, which trains the trial again with the same data and seed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from results.run.ledger import SearchStarted
from spaces.band import Band
from spaces.draw import Draw
from spaces.families import entry_of
from spaces.space import load_space
from trainable.dataset.source import Source
from trainable.files.atomic import write_text

RECIPE = "recipe.toml"


def write_recipe(path: Path, search: SearchStarted, trial: str, draw: Draw, band: Band | None, model: str) -> None:
    """Writes the recipe as TOML. `band` is the band of the trial, `model` the name of the base model."""
    values, own = draw.model_dump(mode="json"), entry_of(draw).recipe.draw_fields
    recipe: dict[str, Any] = {
        "name": "replay",
        "about": f"Trial {trial} of a search on {search.voice}, every value as it was drawn.",
        "family": search.space.get("family", "qwen3_tts"),
        "model": model,
        "language": search.space["language"],
        "draw": {name: value for name, value in values.items() if name not in own},
        "objective": {str(draw.objective): {"band": _band(search, draw, band), **{name: values[name] for name in own}}},
        "budget": {"trials": 1},
        "probe": search.space["probe"],
        "data": dict(search.space.get("data") or {}),
    }
    if draw.augmented == 0:
        recipe["data"].pop("augment", None)
    write_text(path, to_toml(recipe))
    load_space(str(path))


def command(search: SearchStarted, model: str) -> str:
    """The command that trains the trial again, where DIR is the exported folder. Local paths are reduced to names."""
    data = " ".join(f"--data {_quoted(_portable(Source.parse(source)))}" for source in search.data)
    reference = " --auto-ref" if search.auto_reference else ""
    return (
        f"python search/run.py --space DIR/{RECIPE} --model {_quoted(model)} {data}{reference} --trials 1 "
        f"--seed {search.seed}"
    )


def to_toml(table: Mapping[str, Any], name: str = "") -> str:
    """Plain values and nested tables as TOML; None is left out.

    JSON strings and numbers are valid TOML, except for surrogate pairs, which `ensure_ascii=False` avoids.
    """
    plain = {key: value for key, value in table.items() if value is not None and not isinstance(value, Mapping)}
    nested = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    lines = [f"[{name}]"] if name and plain else []
    lines += [f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
    parts = ["\n".join(lines) + "\n"] if lines else []
    parts += [to_toml(value, f"{name}.{_key(key)}" if name else _key(key)) for key, value in nested.items()]
    return "\n".join(filter(None, parts))


def _band(search: SearchStarted, draw: Draw, band: Band | None) -> Any:
    if band is not None:
        return band.model_dump(mode="json")
    return search.space["objective"][draw.objective]["band"] or "none"


def _portable(source: Source) -> str:
    return str(source).replace(str(source.path), source.path.name) if source.path else str(source)


def _quoted(word: str) -> str:
    return word if all(character.isalnum() or character in "-_./:,=@+" for character in word) else f'"{word}"'


def _key(key: str) -> str:
    return key if key and all(character.isalnum() or character in "-_" for character in key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(each) for each in value)}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(key)} = {_value(each)}' for key, each in value.items())} }}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
