"""What a command line names on this machine, and what the same command line reads on the head of a cluster."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from results.run.run_folder import RunFolder
from search.planning.plan import DEMO_SPACE, Plan
from search.submit.upload import UploadBundle, make_bundle, visible_files
from spaces.errors import InputError
from spaces.space import FOLDER
from trainable.dataset.clip import VoiceDataset
from trainable.dataset.source import LIST_SUFFIXES, Source

PROJECT = ("spaces", "trainable", "results", "search", "demo")
"""Packages that a search is made of."""
NOT_PASSED_ON = ("cluster", "out", "resume", "address")
REFERENCE_WORDS = ("ref_text.txt", "ref.txt")

Option = tuple[str, str, tuple[str, ...]]
"""Of the command line: its parameter, how it is written, and its values; none for a switch."""


def given_options(context: typer.Context) -> tuple[Option, ...]:
    """Every option that was typed, whatever a search may be asked for."""
    options = []
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        # Typer may bring a click of its own, whose sources are other objects of the same names.
        if source is None or source.name != "COMMANDLINE":
            continue
        value = context.params[name]
        if isinstance(value, bool):
            options += [(name, parameter.opts[0], ())] if value else []
        else:
            values = value if isinstance(value, (list, tuple)) else [value]
            options.append((name, parameter.opts[0], tuple(str(each) for each in values)))
    return tuple(options)


def command_line(
    options: Sequence[Option], replacements: Mapping[str, Sequence[str]], run: str, resume: bool = False
) -> list[str]:
    """The same search, to be typed on the head in the project's folder. `replacements` are values of options that lie
    elsewhere there, by parameter, or that have to be said there; `run` is the folder there for the run."""
    words = ["python", "search/run.py", "--address", "auto", "--out", run, *(["--resume"] if resume else [])]
    for name, written, values in options:
        if name in NOT_PASSED_ON:
            continue
        words += [written] if not values else []
        # With a sign of equality a value may begin with a dash.
        words += [f"{written}={value}" for value in replacements.get(name, values)]
    typed = {name for name, _, _ in options}
    return words + [
        f"--{name}={value}" for name, values in replacements.items() if name not in typed for value in values
    ]


@dataclass(frozen=True)
class Inputs:
    """What has to be sent, and the values of options there; both by where inputs lie on the head."""

    bundles: tuple[UploadBundle, ...]
    replacements: Mapping[str, tuple[str, ...]]


def project_bundle(root: Path) -> UploadBundle:
    """The project as it is here, but for what a search does not need."""
    files: dict[str, Path | bytes] = {}
    for package in PROJECT:
        inner = visible_files(root / package)
        files |= {f"{package}/{name}": path for name, path in inner.items() if "__pycache__" not in name.split("/")}
    return make_bundle("project", files)


def inputs_of(plan: Plan, dataset: VoiceDataset, options: Iterable[Option], folder: str) -> Inputs:
    """Everything local that the options name, to lie in `folder` on the head.

    Raises InputError for a file that cannot be read.
    """
    typed = {name: values for name, _, values in options}
    bundles: list[UploadBundle] = []
    replacements: dict[str, tuple[str, ...]] = {}
    # What a space of the project's own names lies in the project, which is gone there once Ray was started again. Where
    # nodes share no folder, the project alone is on each of them.
    is_shared = "storage" not in typed
    if plan.is_demo and "data" not in typed and is_shared:
        typed = {**typed, "data": (str(plan.sources[0]),), "space": (DEMO_SPACE,)}
    if "data" in typed:
        placed = [_place_source(Source.parse(text), dataset, folder) for text in typed["data"]]
        bundles += [bundle for bundle, _ in placed if bundle]
        replacements["data"] = tuple(text for _, text in placed)
    if "model" in typed and Path(plan.model).is_dir():
        bundle = _folder_bundle(Path(plan.model))
        bundles.append(bundle)
        replacements["model"] = (f"{folder}/{bundle.name}",)
    own = FOLDER / f"{typed['space'][0]}.toml" if "space" in typed else None
    is_own_model = "model" not in typed and Path(plan.model).is_dir()
    if own and (not own.is_file() or (is_own_model and is_shared)):
        path = own if own.is_file() else Path(typed["space"][0])
        bundle, named = _space_bundle(path, plan, "model" in typed, folder)
        bundles += [bundle, *named]
        replacements["space"] = (f"{folder}/{bundle.name}/space.toml",)
    if "like" in typed:
        runs = [_run_bundle(Path(run)) for run in typed["like"]]
        bundles += runs
        replacements["like"] = tuple(f"{folder}/{bundle.name}" for bundle in runs)
    return Inputs(tuple(bundles), replacements)


def _run_bundle(run: Path) -> UploadBundle:
    """Of a run on a similar voice what is learned from: what was heard, and where curves began."""
    curves = sorted(run.glob("trials/*/curve.jsonl"))
    paths = (RunFolder(run).ledger, *curves)
    return make_bundle("like", {path.relative_to(run).as_posix(): path for path in paths})


def _place_source(source: Source, dataset: VoiceDataset, folder: str) -> tuple[UploadBundle | None, str]:
    """The bundle of a source, and its text on the head; a source of the hub is fetched there."""
    if source.path is None:
        return None, str(source)
    is_list = source.path.suffix.lower() in LIST_SUFFIXES and source.path.is_file()
    home = source.path.parent if is_list else source.path
    named = _named_by_list(source.path, dataset) if is_list else visible_files(home)
    files = {name: _without_absolute_paths(path, home) for name, path in named.items()}
    bundle = make_bundle(source.name, files)
    there = Path(folder, bundle.name, source.path.name) if is_list else Path(folder, bundle.name)
    return bundle, str(source.model_copy(update={"path": there}))


def _named_by_list(listed: Path, dataset: VoiceDataset) -> dict[str, Path | bytes]:
    """A list of clips, and of its folder only what is read through it: the folder may be somebody's home."""
    home = listed.parent
    spoken = {clip.audio for clip in dataset.clips} | {each.reference.audio for each in dataset.speakers}
    words = {audio.with_suffix(".txt") for audio in spoken} | {home / name for name in REFERENCE_WORDS}
    words |= {audio.with_name(name) for audio in spoken for name in REFERENCE_WORDS}
    paths = (listed, *spoken, *(path for path in words if path.is_file()))
    return {path.relative_to(home).as_posix(): path for path in paths if path.is_relative_to(home)}


def _without_absolute_paths(path: Path, home: Path) -> Path | bytes:
    """Of a JSONL that names files of its folder by absolute paths, the same with relative ones."""
    if path.suffix.lower() != ".jsonl":
        return path
    homes = [f"{each}/" for each in {str(home), str(home.resolve())}]
    data = path.read_bytes()
    if not any(each.encode() in data for each in homes):
        return path
    up = "../" * len(path.relative_to(home).parent.parts)
    lines = [_relative(line, homes, up) for line in data.decode("utf-8-sig", errors="surrogateescape").split("\n")]
    return "\n".join(lines).encode(errors="surrogateescape")


def _relative(line: str, homes: Sequence[str], up: str) -> str:
    try:
        row = json.loads(line)
    except ValueError:
        return line
    if not isinstance(row, dict):
        return line
    changed = {
        key: next((up + value.removeprefix(home) for home in homes if value.startswith(home)), value)
        for key, value in row.items()
        if isinstance(value, str)
    }
    return line if changed.items() <= row.items() else json.dumps({**row, **changed}, ensure_ascii=False)


def _folder_bundle(folder: Path) -> UploadBundle:
    return make_bundle(folder.name, visible_files(folder))


def _space_bundle(path: Path, plan: Plan, is_model_typed: bool, folder: str) -> tuple[UploadBundle, list[UploadBundle]]:
    """A space file with the paths in it as they are on the head, and the bundles that those lead to."""
    text = path.read_text(encoding="utf-8")
    bundles: list[UploadBundle] = []
    probe = plan.space.probe
    found = {("probe", "lines"): Path(probe.lines), ("probe", "recogniser"): Path(probe.recogniser)}
    if not is_model_typed:
        found["model",] = Path(plan.model)
    for keys, named in found.items():
        if not named.is_absolute():
            continue
        bundle = make_bundle(named.parent.name, {named.name: named}) if named.is_file() else _folder_bundle(named)
        inner = f"/{named.name}" if named.is_file() else ""
        text = _with_value(path, text, keys, f"{folder}/{bundle.name}{inner}")
        bundles.append(bundle)
    return make_bundle(path.stem, {"space.toml": text.encode()}), bundles


def _with_value(path: Path, text: str, keys: tuple[str, ...], value: str) -> str:
    """TOML with one string replaced. Raises InputError where it is not written as `key = "value"` on one line."""
    wanted = tomllib.loads(text)
    section = wanted
    for key in keys[:-1]:
        section = section[key]
    section[keys[-1]] = value
    line = re.compile(rf"^(\s*{keys[-1]}\s*=\s*)(\"[^\"\n]*\"|'[^'\n]*')", re.MULTILINE)
    for match in line.finditer(text):
        changed = text[: match.start(2)] + json.dumps(value) + text[match.end(2) :]
        try:
            if tomllib.loads(changed) == wanted:
                return changed
        except tomllib.TOMLDecodeError:
            continue
    name = ".".join(keys)
    raise InputError(
        f"{path}: {name} is a path, which has to be changed for the cluster; write {name} on a line of its own"
    )
