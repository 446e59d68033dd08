"""What a search is to do, resolved from the command line before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from results.run.ledger import History, SearchStarted, read_ledger
from results.run.run_folder import RunFolder, require_known_family
from search.planning.execution_mode import ExecutionMode
from search.proposals.prior_runs import read_prior_runs
from spaces.errors import InputError
from spaces.families import FAMILIES
from spaces.space import Budget, Space, load_space
from spaces.storage_uri import Storage, checked_uri
from trainable.dataset.clip import VoiceDataset
from trainable.dataset.finding import Finding
from trainable.dataset.source import Source
from trainable.dataset.split import DatasetSplit
from trainable.files.cache import cache_folder

DEMO_SPACE = "demo"
DEMO_VOICE = Path(__file__).parents[2] / "demo" / "voice"
VOICE_SPACE = "voice"
"""The space of a voice of one's own, when none is named."""
SEED = 1
LOCAL = "local"
MOVABLE = {"budget", "evidence"}
"""Parts of a space that the command line adds to."""


@dataclass(frozen=True)
class Arguments:
    """The command line as it was typed; None where nothing was."""

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


@dataclass(frozen=True)
class Plan:
    """Everything that decides what a search does. Equal plans on one machine search alike."""

    space: Space
    family: str
    """Module of the model family."""
    sources: tuple[Source, ...]
    """The first one's first speaker is the voice that is probed."""
    auto_reference: bool
    model: str
    """Hub id, or folder (absolute)."""
    run: RunFolder
    """Absolute: workers have other working directories."""
    resume: bool
    seed: int
    budget: Budget
    address: str
    """`local`, or where a Ray cluster answers: `auto`, or host:port."""
    cache: Path
    """Folder of what all searches share."""
    mode: ExecutionMode = ExecutionMode()
    storage: str | None = None
    """Address of the run's folder in storage; None where every node reaches the folder itself."""

    @property
    def stored(self) -> Storage | None:
        return Storage(root=self.run.path, uri=self.storage) if self.storage else None

    @property
    def is_demo(self) -> bool:
        return self.sources == (demo_source(),)


def make_plan(typed: Arguments, now: datetime, environment: Mapping[str, str]) -> Plan:
    """The plan that was asked for. Reads the space and, on --resume, the ledger; checks nothing else.

    Raises InputError, which says what to type instead.
    """
    address = _address(typed, environment)
    if typed.resume:
        return _resumed(typed, address)
    space_name, sources = _space_and_sources(typed, address)
    space = _load(space_name)
    model = _absolute(typed.model or space.model)
    space = _with_evidence(space, typed.like, model)
    name = DEMO_SPACE if sources == (demo_source(),) else sources[0].name
    out = typed.out or Path("runs") / f"{name}-{now:%Y%m%d-%H%M%S}"
    return Plan(
        space=space,
        family=FAMILIES[space.family].module,
        sources=sources,
        auto_reference=typed.auto_ref,
        model=model,
        run=RunFolder(out.resolve()),
        resume=False,
        seed=SEED if typed.seed is None else typed.seed,
        budget=_budget(space.budget, typed),
        address=address,
        cache=cache_folder(),
        mode=typed.mode,
        storage=checked_uri(typed.storage) if typed.storage else None,
    )


def _resumed(typed: Arguments, address: str) -> Plan:
    """The search that the ledger began; the command line may move its data and change its budget, nothing else."""
    if typed.out is None:
        raise InputError("--resume needs --out RUN, the folder of the search that is to go on")
    run = RunFolder(typed.out.resolve())
    history = read_ledger(run.ledger)
    begun = history.search
    if begun is None:
        raise InputError(f"{run.ledger}: its first line cannot be read; start anew with another --out")
    space, budget = _begun_space(run, history, begun)
    _refuse_changes(typed, begun)
    return Plan(
        space=space,
        family=require_known_family(begun.family, f"{run.ledger}"),
        sources=_sources(typed) or tuple(Source.parse(source) for source in begun.data),
        auto_reference=typed.auto_ref or begun.auto_reference,
        model=begun.model,
        run=run,
        resume=True,
        seed=begun.seed,
        # What the command line asked for the last time still holds.
        budget=_budget(budget, typed),
        address=address,
        cache=cache_folder(),
        mode=typed.mode,
        storage=checked_uri(typed.storage) if typed.storage else history.storage,
    )


def _begun_space(run: RunFolder, history: History, begun: SearchStarted) -> tuple[Space, Budget]:
    """The space that it began with, and the budget that it was last given."""
    try:
        space = Space.model_validate(begun.space)
        return space, Budget.model_validate(history.budget) if history.budget else space.budget
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise InputError(
            f"{run.ledger}: its space is not one that this Sweetspot can search ({where}: {problem['msg']}); go on "
            "with the version that began it, or start anew with another --out"
        ) from None


def _with_evidence(space: Space, like: tuple[Path, ...], model: str) -> Space:
    """The space, with what those runs heard as evidence beside its own."""
    found = [tested for run in like for tested in read_prior_runs(RunFolder(run.resolve()), model)]
    return space.model_copy(update={"evidence": (*space.evidence, *found)})


def _refuse_changes(typed: Arguments, begun: SearchStarted) -> None:
    if typed.like:
        raise InputError("--like: what other runs teach is in the ledger since this search began; leave it out")
    space = typed.space and _load(typed.space).model_dump(mode="json", exclude=MOVABLE)
    begun_space = {key: value for key, value in begun.space.items() if key not in MOVABLE}
    for option, now, then in (
        ("--space", space, begun_space),
        ("--model", typed.model and _absolute(typed.model), begun.model),
        ("--seed", typed.seed, begun.seed),
    ):
        if now is not None and now != then:
            said = "" if option == "--space" else f", {then}"
            raise InputError(
                f"{option} is not what this search began with{said}; leave it out, or start anew with another --out"
            )


def _address(typed: Arguments, environment: Mapping[str, str]) -> str:
    address = typed.address or environment.get("RAY_ADDRESS") or LOCAL
    if address.startswith("ray://"):
        raise InputError(f"--address {address}: run this command on the cluster's head instead, with --address auto")
    return address


def demo_source() -> Source:
    return Source.parse(str(DEMO_VOICE))


def _sources(typed: Arguments) -> tuple[Source, ...]:
    sources = [Source.parse(text) for text in typed.data]
    twice = [source for place, source in enumerate(sources) if source in sources[:place]]
    if twice:
        raise InputError(f"--data {twice[0]}: given twice; to pass over it more often, add ,weight=2")
    return tuple(source.model_copy(update={"hours": source.hours or typed.max_audio_hours}) for source in sources)


def _space_and_sources(typed: Arguments, address: str) -> tuple[str, tuple[Source, ...]]:
    if typed.data:
        return typed.space or VOICE_SPACE, _sources(typed)
    if typed.space == DEMO_SPACE or (typed.space is None and address == LOCAL):
        return DEMO_SPACE, (demo_source(),)
    if typed.space is not None:
        load_space(typed.space)
        raise InputError(f"--space {typed.space} needs a voice: add --data FOLDER")
    raise InputError(
        f"a cluster is configured ({address}), so say what to search there: --data FOLDER for a voice of your own, "
        "--space demo for the demo voice, or --address local for this machine alone"
    )


def _load(name: str) -> Space:
    """The space, with the paths that its probe names absolute: workers have other working directories."""
    space = load_space(name)
    lines, recogniser = Path(space.probe.lines), Path(space.probe.recogniser)
    paths = {"lines": lines} if lines.is_file() else {}
    paths |= {"recogniser": recogniser} if recogniser.is_dir() else {}
    absolute = {field: str(path.resolve()) for field, path in paths.items()}
    return space.model_copy(update={"probe": space.probe.model_copy(update=absolute)})


def _budget(budget: Budget, typed: Arguments) -> Budget:
    changed = {
        "trials": typed.trials,
        "accept": typed.accept,
        "hours": typed.hours,
        "gpu_hours": typed.gpu_hours,
    }
    return budget.model_copy(update={name: value for name, value in changed.items() if value is not None})


def _absolute(model: str) -> str:
    return str(Path(model).resolve()) if Path(model).exists() else model


@dataclass(frozen=True)
class CheckedData:
    """The voice of a plan that can be carried out."""

    dataset: VoiceDataset
    split: DatasetSplit
    findings: tuple[Finding, ...]
    """What is worth knowing of it; no error is among them."""
