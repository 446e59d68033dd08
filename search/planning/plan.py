"""The plan of a search: the command line resolved into everything that decides what the search does.

In: `Arguments`. Out: a `Plan`, from `make_plan`; `search.checking` checks it and adds `CheckedData`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from results.run.ledger import read_ledger
from results.run.run_folder import RunFolder, require_known_family
from search.planning.arguments import Arguments
from search.planning.execution_mode import ExecutionMode
from search.planning.given_space import absolute_if_here, load_given_space, with_probe_options
from search.planning.recorded_space import recorded_space, refuse_changes
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
"""The default space for `--data`."""
SEED = 1
LOCAL = "local"


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
    space = load_given_space(space_name)
    model = absolute_if_here(arguments.model or space.model)
    space = with_probe_options(space, arguments, model)
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
    space, budget = recorded_space(run, history, started)
    refuse_changes(arguments, started)
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


def _with_evidence(space: Space, like: tuple[Path, ...], model: str) -> Space:
    """The space, with the verdicts of those runs added to its evidence."""
    prior_runs = [prior for run in like for prior in read_prior_runs(RunFolder(run.resolve()), model)]
    return space.model_copy(update={"evidence": (*space.evidence, *prior_runs)})


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


def _budget(budget: Budget, arguments: Arguments) -> Budget:
    """The budget, with the limits that options give."""
    limits = {name: getattr(arguments, name) for name in ("trials", "accept", "hours", "gpu_hours")}
    return budget.model_copy(update={name: limit for name, limit in limits.items() if limit is not None})


@dataclass(frozen=True)
class CheckedData:
    """The voice dataset of a plan that has passed all checks."""

    dataset: VoiceDataset
    split: DatasetSplit
    findings: tuple[Finding, ...]
    """Warnings; errors are raised instead."""
