"""The plan of a search: the command line resolved into everything that decides what the search does.

In: `Arguments`. Out: a `Plan`, from `make_plan`; `search.checking` checks it and adds `CheckedData`.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from results.run.ledger import History, SearchStarted, read_ledger
from results.run.run_folder import RunFolder, require_known_family
from search.planning.execution_mode import ExecutionMode
from search.proposals.prior_runs import read_prior_runs
from spaces.errors import InputError
from spaces.families import FAMILIES
from spaces.probe_settings import AUTO
from spaces.space import Budget, Space, load_space
from spaces.storage_uri import Storage, checked_uri
from trainable.dataset.clip import VoiceDataset
from trainable.dataset.finding import Finding
from trainable.dataset.source import Source
from trainable.dataset.split import DatasetSplit
from trainable.files.cache import cache_folder
from trainable.speech.asr.languages import Language, find_language, language_of_lines, near_languages

DEMO_SPACE = "demo"
DEMO_VOICE = Path(__file__).parents[2] / "demo" / "voice"
VOICE_SPACE = "voice"
"""The default space for `--data`."""
SEED = 1
LOCAL = "local"
NOT_COMPARED = {"budget", "evidence"}
"""Parts of a space that options change, so a resumed search does not compare them."""


@dataclass(frozen=True)
class Arguments:
    """The options of the command line; None for an option that was not given."""

    data: tuple[str, ...] = ()
    max_audio_hours: float | None = None
    model: str | None = None
    space: str | None = None
    out: Path | None = None
    resume: bool = False
    seed: int | None = None
    trials: int | None = None
    accept: int | None = None
    hours: float | None = None
    gpu_hours: float | None = None
    auto_ref: bool = False
    mode: ExecutionMode = ExecutionMode()
    address: str | None = None
    storage: str | None = None
    like: tuple[Path, ...] = ()
    """Folders of finished runs of similar voices."""
    language: str | None = None
    """Code or English name."""
    recogniser: str | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that decides what a search does. Equal plans give equal searches on one machine."""

    space: Space
    family: str
    """Module of the model family."""
    sources: tuple[Source, ...]
    """The first speaker of the first source is the voice that is probed."""
    auto_reference: bool
    model: str
    """Hub id, or absolute path of a folder."""
    run: RunFolder
    """Absolute, because workers have other working directories."""
    resume: bool
    seed: int
    budget: Budget
    address: str
    """`local`, or the address of a Ray cluster: `auto` or host:port."""
    cache: Path
    """Folder that all searches share."""
    mode: ExecutionMode = ExecutionMode()
    storage: str | None = None
    """Address of the run folder in object storage; None if every node reaches the folder itself."""

    @property
    def stored(self) -> Storage | None:
        return Storage(root=self.run.path, uri=self.storage) if self.storage else None

    @property
    def is_demo(self) -> bool:
        return self.sources == (demo_source(),)


def make_plan(arguments: Arguments, now: datetime, environment: Mapping[str, str]) -> Plan:
    """Reads the space and, on --resume, the ledger; checks nothing else. Raises InputError for impossible options."""
    address = _address(arguments, environment)
    if arguments.resume:
        return _resumed_plan(arguments, address)
    space_name, sources = _space_and_sources(arguments, address)
    space = _load(space_name)
    model = _absolute(arguments.model or space.model)
    space = _with_ears(space, arguments, model)
    space = _with_evidence(space, arguments.like, model)
    name = DEMO_SPACE if sources == (demo_source(),) else sources[0].name
    out = arguments.out or Path("runs") / f"{name}-{now:%Y%m%d-%H%M%S}"
    return Plan(
        space=space,
        family=FAMILIES[space.family].module,
        sources=sources,
        auto_reference=arguments.auto_ref,
        model=model,
        run=RunFolder(out.resolve()),
        resume=False,
        seed=SEED if arguments.seed is None else arguments.seed,
        budget=_budget(space.budget, arguments),
        address=address,
        cache=cache_folder(),
        mode=arguments.mode,
        storage=checked_uri(arguments.storage) if arguments.storage else None,
    )


def _resumed_plan(arguments: Arguments, address: str) -> Plan:
    """The plan in the ledger. Options may only move its data and change its budget; what it chose for `auto` stays."""
    if arguments.out is None:
        raise InputError("--resume needs --out RUN, the folder of the search to continue")
    run = RunFolder(arguments.out.resolve())
    history = read_ledger(run.ledger)
    started = history.search
    if started is None:
        raise InputError(f"{run.ledger}: its first line cannot be read; start a new search with another --out")
    space, budget = _recorded_space(run, history, started)
    _refuse_changes(arguments, started)
    return Plan(
        space=space,
        family=require_known_family(started.family, f"{run.ledger}"),
        sources=_sources(arguments) or tuple(Source.parse(source) for source in started.data),
        auto_reference=arguments.auto_ref or started.auto_reference,
        model=started.model,
        run=run,
        resume=True,
        seed=started.seed,
        # Options of the last command line still hold.
        budget=_budget(budget, arguments),
        address=address,
        cache=cache_folder(),
        mode=arguments.mode,
        storage=checked_uri(arguments.storage) if arguments.storage else history.storage,
    )


def _recorded_space(run: RunFolder, history: History, started: SearchStarted) -> tuple[Space, Budget]:
    """The space that the search started with, and its latest budget."""
    try:
        space = Space.model_validate(started.space)
        return space, Budget.model_validate(history.budget) if history.budget else space.budget
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise InputError(
            f"{run.ledger}: this version of Sweetspot cannot search its space ({where}: {problem['msg']}); continue "
            "with the version that started it, or start a new search with another --out"
        ) from None


def _with_evidence(space: Space, like: tuple[Path, ...], model: str) -> Space:
    """The space, with the verdicts of those runs added to its evidence."""
    prior_runs = [prior for run in like for prior in read_prior_runs(RunFolder(run.resolve()), model)]
    return space.model_copy(update={"evidence": (*space.evidence, *prior_runs)})


def _refuse_changes(arguments: Arguments, started: SearchStarted) -> None:
    if arguments.like:
        raise InputError(
            "--like cannot be given with --resume: the ledger holds the prior runs that this search started with; "
            "leave it out"
        )
    recorded_space = {key: value for key, value in started.space.items() if key not in NOT_COMPARED}
    probe = started.space["probe"]
    space = None
    if arguments.space:
        given_space = _with_ears(_load(arguments.space), arguments, started.model)
        space = _settled(given_space.model_dump(mode="json", exclude=NOT_COMPARED), recorded_space)
    for option, given, recorded in (
        ("--space", space, recorded_space),
        ("--language", arguments.language and _language(arguments.language).code, _code(probe.get("language", AUTO))),
        ("--recogniser", arguments.recogniser and _absolute(arguments.recogniser), probe.get("recogniser")),
        ("--model", arguments.model and _absolute(arguments.model), started.model),
        ("--seed", arguments.seed, started.seed),
    ):
        if given not in (None, AUTO) and given != recorded:
            expected = "" if option == "--space" else f", which is {recorded}"
            raise InputError(
                f"{option} differs from the one this search started with{expected}; leave it out, or start a new "
                "search with another --out"
            )


def _settled(space: dict[str, Any], recorded: Mapping[str, Any]) -> dict[str, Any]:
    """The space with what it leaves to be chosen as it was chosen when the search started."""
    chosen = recorded["probe"]
    probe = {key: chosen.get(key) if value == AUTO else value for key, value in space["probe"].items()}
    if "language" in chosen and _code(probe["language"]) == _code(chosen["language"]):
        probe["language"] = chosen["language"]
    language = recorded["language"] if space["language"] == AUTO else space["language"]
    return {**space, "probe": probe, "language": language}


def _with_ears(space: Space, arguments: Arguments, model: str) -> Space:
    """The space with what `--language` and `--recogniser` say.

    A language is also that of the model, where the model knows it; shipped lines follow it. Raises InputError for a
    language that no recogniser is known for.
    """
    if arguments.recogniser:
        recogniser = {"recogniser": _absolute(arguments.recogniser)}
        space = space.model_copy(update={"probe": space.probe.model_copy(update=recogniser)})
    if not arguments.language:
        return space
    language, check = _language(arguments.language), FAMILIES[space.family].check
    known = importlib.import_module(check).known_languages(model) if check else ()
    lines = AUTO if language_of_lines(space.probe.lines) else space.probe.lines
    probe = space.probe.model_copy(update={"language": language.code, "lines": lines})
    return space.model_copy(update={"language": language.name if language.name in known else AUTO, "probe": probe})


def _language(code_or_name: str) -> Language:
    language = find_language(code_or_name)
    if language is None:
        raise InputError(
            f"--language {code_or_name}: expected a code or an English name such as {near_languages(code_or_name)}; a "
            "language that no Whisper knows is written in the space: language, lines and recogniser of its [probe]"
        )
    return language


def _code(code_or_name: str) -> str:
    language = find_language(code_or_name)
    return language.code if language else code_or_name


def _address(arguments: Arguments, environment: Mapping[str, str]) -> str:
    address = arguments.address or environment.get("RAY_ADDRESS") or LOCAL
    if address.startswith("ray://"):
        raise InputError(
            f"--address {address}: Ray clients are not supported; run this command on the cluster's head, with "
            "--address auto"
        )
    return address


def demo_source() -> Source:
    return Source.parse(str(DEMO_VOICE))


def _sources(arguments: Arguments) -> tuple[Source, ...]:
    sources = [Source.parse(text) for text in arguments.data]
    repeated = [source for index, source in enumerate(sources) if source in sources[:index]]
    if repeated:
        raise InputError(f"--data {repeated[0]}: given twice; to train on it more often, add ,weight=2")
    return tuple(source.model_copy(update={"hours": source.hours or arguments.max_audio_hours}) for source in sources)


def _space_and_sources(arguments: Arguments, address: str) -> tuple[str, tuple[Source, ...]]:
    if arguments.data:
        return arguments.space or VOICE_SPACE, _sources(arguments)
    if arguments.space == DEMO_SPACE or (arguments.space is None and address == LOCAL):
        return DEMO_SPACE, (demo_source(),)
    if arguments.space is not None:
        load_space(arguments.space)
        raise InputError(f"--space {arguments.space} needs a voice dataset: add --data FOLDER")
    raise InputError(
        f"a cluster is configured ({address}), so choose what to search there: --data FOLDER for a voice of your own, "
        "--space demo for the demo voice, or --address local for this machine only"
    )


def _load(name: str) -> Space:
    """The space, with absolute paths for its probe, because workers have other working directories."""
    space = load_space(name)
    lines, recogniser = Path(space.probe.lines), Path(space.probe.recogniser)
    paths = {"lines": lines} if lines.is_file() else {}
    paths |= {"recogniser": recogniser} if recogniser.is_dir() else {}
    absolute = {field: str(path.resolve()) for field, path in paths.items()}
    return space.model_copy(update={"probe": space.probe.model_copy(update=absolute)})


def _budget(budget: Budget, arguments: Arguments) -> Budget:
    """The budget, with the limits that options give."""
    limits = {name: getattr(arguments, name) for name in ("trials", "accept", "hours", "gpu_hours")}
    return budget.model_copy(update={name: limit for name, limit in limits.items() if limit is not None})


def _absolute(model: str) -> str:
    return str(Path(model).resolve()) if Path(model).exists() else model


@dataclass(frozen=True)
class CheckedData:
    """The voice dataset of a plan that has passed all checks."""

    dataset: VoiceDataset
    split: DatasetSplit
    findings: tuple[Finding, ...]
    """Warnings; errors are raised instead."""
