"""The local files that a command line names, and the command line that reads their copies on the head."""

import json
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
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
"""Folders of the checkout that a search needs."""
NOT_FORWARDED = ("cluster", "out", "resume", "address")
REFERENCE_TRANSCRIPTS = ("ref_text.txt", "ref.txt")

Option = tuple[str, str, tuple[str, ...]]
"""A given option: its parameter, its flag, and its values; no values for a switch."""


def given_options(context: typer.Context) -> tuple[Option, ...]:
    """Every option that was given, read from the command itself so that new options are included."""
    options = []
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        # Typer may bundle its own click, whose sources are different objects with the same names.
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
    """The command line of the same search on the head, in the folder of the project. `run` is its run folder there.

    `replacements` are the values of options that differ there, by parameter, including options that were not given.
    """
    words = ["python", "search/run.py", "--address", "auto", "--out", run, *(["--resume"] if resume else [])]
    for name, flag, values in options:
        if name in NOT_FORWARDED:
            continue
        words += [flag] if not values else []
        # After an equals sign, a value may begin with a dash.
        words += [f"{flag}={value}" for value in replacements.get(name, values)]
    given = {name for name, _, _ in options}
    return words + [
        f"--{name}={value}" for name, values in replacements.items() if name not in given for value in values
    ]


@dataclass(frozen=True)
class Inputs:
    """The bundles to upload, and the values of options on the head, which name files of those bundles."""

    bundles: tuple[UploadBundle, ...]
    replacements: Mapping[str, tuple[str, ...]]


def project_bundle(root: Path) -> UploadBundle:
    """The files of the checkout that a search needs."""
    files: dict[str, Path | bytes] = {}
    for package in PROJECT:
        inner = visible_files(root / package)
        files |= {f"{package}/{name}": path for name, path in inner.items() if "__pycache__" not in name.split("/")}
    return make_bundle("project", files)


def inputs_of(plan: Plan, dataset: VoiceDataset, options: Iterable[Option], folder: str) -> Inputs:
    """Bundles every local file that the options name, for `folder` on the head.

    Raises OSError for a file that cannot be read, InputError for a path in a space file that cannot be replaced.
    """
    given = {name: values for name, _, values in options}
    bundles: list[UploadBundle] = []
    replacements: dict[str, tuple[str, ...]] = {}
    # The uploaded project is gone when Ray restarts, and files of its own spaces with it, so these are bundled too.
    # Without a shared folder, only the project reaches every node, so they must stay in it.
    is_shared = "storage" not in given
    if plan.is_demo and "data" not in given and is_shared:
        given = {**given, "data": (str(plan.sources[0]),), "space": (DEMO_SPACE,)}
    if "data" in given:
        bundled = [_bundle_source(Source.parse(text), dataset, folder) for text in given["data"]]
        bundles += [bundle for bundle, _ in bundled if bundle]
        replacements["data"] = tuple(text for _, text in bundled)
    if "model" in given and Path(plan.model).is_dir():
        bundle = _folder_bundle(Path(plan.model))
        bundles.append(bundle)
        replacements["model"] = (f"{folder}/{bundle.name}",)
    if "recogniser" in given and Path(plan.space.probe.recogniser).is_dir():
        bundle = _folder_bundle(Path(plan.space.probe.recogniser))
        bundles.append(bundle)
        replacements["recogniser"] = (f"{folder}/{bundle.name}",)
    own = FOLDER / f"{given['space'][0]}.toml" if "space" in given else None
    is_own_model = "model" not in given and Path(plan.model).is_dir()
    if own and (not own.is_file() or (is_own_model and is_shared)):
        path = own if own.is_file() else Path(given["space"][0])
        bundle, named = _space_bundle(path, plan, {"model", "recogniser"} & given.keys(), folder)
        bundles += [bundle, *named]
        replacements["space"] = (f"{folder}/{bundle.name}/space.toml",)
    if "like" in given:
        runs = [_run_bundle(Path(run)) for run in given["like"]]
        bundles += runs
        replacements["like"] = tuple(f"{folder}/{bundle.name}" for bundle in runs)
    return Inputs(tuple(bundles), replacements)


def _run_bundle(run: Path) -> UploadBundle:
    """The files of a prior run that a search learns from: its ledger and curves."""
    curves = sorted(run.glob("trials/*/curve.jsonl"))
    paths = (RunFolder(run).ledger, *curves)
    return make_bundle("like", {path.relative_to(run).as_posix(): path for path in paths})


def _bundle_source(source: Source, dataset: VoiceDataset, folder: str) -> tuple[UploadBundle | None, str]:
    """The bundle of a source and the source on the head. A source of the Hub has no bundle: the head downloads it."""
    if source.path is None:
        return None, str(source)
    is_list = source.path.suffix.lower() in LIST_SUFFIXES and source.path.is_file()
    home = source.path.parent if is_list else source.path
    named = _named_by_list(source.path, dataset) if is_list else visible_files(home)
    files = {name: _without_absolute_paths(path, home) for name, path in named.items()}
    bundle = make_bundle(source.name, files)
    path = Path(folder, bundle.name, source.path.name) if is_list else Path(folder, bundle.name)
    return bundle, str(source.model_copy(update={"path": path}))


def _named_by_list(listed: Path, dataset: VoiceDataset) -> dict[str, Path | bytes]:
    """A list of clips and the files it names. Other files of its folder are left out: it may be a home folder."""
    home = listed.parent
    audio_files = {clip.audio for clip in dataset.clips} | {each.reference.audio for each in dataset.speakers}
    transcripts = {audio.with_suffix(".txt") for audio in audio_files} | {home / name for name in REFERENCE_TRANSCRIPTS}
    transcripts |= {audio.with_name(name) for audio in audio_files for name in REFERENCE_TRANSCRIPTS}
    paths = (listed, *audio_files, *(path for path in transcripts if path.is_file()))
    return {path.relative_to(home).as_posix(): path for path in paths if path.is_relative_to(home)}


def _without_absolute_paths(path: Path, home: Path) -> Path | bytes:
    """The file, or its content with relative paths if it is a JSONL that names files below `home` by absolute paths."""
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


def _file_bundle(file: Path) -> UploadBundle:
    return make_bundle(file.parent.name, {file.name: file})


def _folder_bundle(folder: Path) -> UploadBundle:
    return make_bundle(folder.name, visible_files(folder))


def _space_bundle(
    path: Path, plan: Plan, given: Collection[str], folder: str
) -> tuple[UploadBundle, list[UploadBundle]]:
    """A space file with its paths replaced by those on the head, and the bundles of the files they name.

    Of `model` and `recogniser`, those in `given` are options, so the file's own are not used.
    """
    text = path.read_text(encoding="utf-8")
    bundles: list[UploadBundle] = []
    probe = plan.space.probe
    found: dict[tuple[str, ...], Path] = {("probe", "lines"): Path(probe.lines)}
    if "recogniser" not in given:
        found["probe", "recogniser"] = Path(probe.recogniser)
    if "model" not in given:
        found["model",] = Path(plan.model)
    for keys, path_here in found.items():
        if not path_here.is_absolute():
            continue
        bundle = _file_bundle(path_here) if path_here.is_file() else _folder_bundle(path_here)
        inner = f"/{path_here.name}" if path_here.is_file() else ""
        text = _with_value(path, text, keys, f"{folder}/{bundle.name}{inner}")
        bundles.append(bundle)
    return make_bundle(path.stem, {"space.toml": text.encode()}), bundles


def _with_value(path: Path, text: str, keys: tuple[str, ...], value: str) -> str:
    """The TOML with one string replaced. Raises InputError unless it is written as `key = "value"` on one line."""
    expected = tomllib.loads(text)
    section = expected
    for key in keys[:-1]:
        section = section[key]
    section[keys[-1]] = value
    line = re.compile(rf"^(\s*{keys[-1]}\s*=\s*)(\"[^\"\n]*\"|'[^'\n]*')", re.MULTILINE)
    for match in line.finditer(text):
        changed = text[: match.start(2)] + json.dumps(value) + text[match.end(2) :]
        try:
            if tomllib.loads(changed) == expected:
                return changed
        except tomllib.TOMLDecodeError:
            continue
    name = ".".join(keys)
    raise InputError(
        f"{path}: {name} is a path, which must be replaced for the cluster; write {name} on a line of its own"
    )
