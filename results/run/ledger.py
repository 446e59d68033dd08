"""The ledger: the append-only record of a search, one JSON line per event. Every table, plot and export reads it.

Writers lock the file in turn; readers may read at any time. A line that was cut off by a crash or written by a newer
Sweetspot is left out, and the rest is read.
"""

import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from results.run.vote import Vote, VotePair
from spaces.band import AutoBand, Band, resolve_band
from spaces.draw import Draw
from spaces.errors import InputError
from spaces.families import AnyDraw
from spaces.frozen_model import FrozenModel
from spaces.objective_recipe import band_choices
from spaces.records.confirmation import Confirmation
from spaces.records.trial import Outcome
from trainable.dataset.source import Source

FORMAT = 1
"""Format of a ledger; raised when an older reader would misunderstand it."""


class _Entry(FrozenModel):
    time: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))


class SearchStarted(_Entry):
    """The first line, repeated at each resumption."""

    entry: Literal["search_started"] = "search_started"
    format: int = FORMAT
    space: dict[str, Any]
    """The space as it is searched, as JSON."""
    family: str
    """Module of the model family."""
    data: tuple[str, ...]
    """Data sources, as given to `--data`."""
    auto_reference: bool
    fingerprint: str
    """Fingerprint of the dataset."""
    model: str
    seed: int
    versions: dict[str, str]
    """Versions of the libraries that results depend on."""
    storage: str | None = None
    """Address of the run's folder in storage; None where its nodes share a folder."""

    @property
    def voice(self) -> str:
        """Names of the data sources, for titles."""
        return " + ".join(Source.parse(source).name for source in self.data)


class BaseProbed(_Entry):
    """Row zero: the base model's own clone of the voice."""

    entry: Literal["base_probed"] = "base_probed"
    outcome: Outcome


class TrialDrawn(_Entry):
    """A trial was started."""

    entry: Literal["trial_drawn"] = "trial_drawn"
    trial: str
    draw: AnyDraw
    band: Band | None = None
    """The band of this trial; None in older ledgers, where it is the space's."""


class TrialEnded(_Entry):
    entry: Literal["trial_ended"] = "trial_ended"
    outcome: Outcome


class FinalistHeard(_Entry):
    """A finalist was confirmed, or the base model for comparison."""

    entry: Literal["finalist_heard"] = "finalist_heard"
    final: Confirmation


class SearchEnded(_Entry):
    entry: Literal["search_ended"] = "search_ended"
    reason: str


class VotesGiven(_Entry):
    """Votes of a blind round; they may be added at any time, also after the search."""

    entry: Literal["votes_given"] = "votes_given"
    round: str
    """Name of the round; each of its pairs counts once."""
    votes: tuple[Vote, ...]


Entry = SearchStarted | BaseProbed | TrialDrawn | TrialEnded | FinalistHeard | SearchEnded | VotesGiven
_entries: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="entry")])


@dataclass(frozen=True)
class History:
    """The content of a ledger so far."""

    search: SearchStarted | None = None
    base: Outcome | None = None
    drawn: dict[str, Draw] = field(default_factory=dict)
    """Trials in the order they were drawn."""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    confirmations: dict[str, Confirmation] = field(default_factory=dict)
    """Confirmations of the finalists and of the base model."""
    ended: str | None = None
    """Why the search ended; None while it runs, also after a resumption."""
    problems: tuple[str, ...] = ()
    """Lines that could not be used, with their numbers."""
    bands: dict[str, Band] = field(default_factory=dict)
    """The band of each trial, where it was recorded."""
    seconds: float = 0.0
    """Time that the search ran: from each start to the last entry before the next start."""
    budget: dict[str, Any] | None = None
    """The space's budget at the last start or resumption, as JSON."""
    votes: dict[tuple[str, VotePair], Vote] = field(default_factory=dict)
    """Votes of blind rounds, by round and pair."""
    storage: str | None = None
    """Address of the run in storage at the last start or resumption."""

    @property
    def running(self) -> tuple[str, ...]:
        """Trials that were started and have not ended."""
        return tuple(trial for trial in self.drawn if trial not in self.outcomes)

    def band(self, objective: str) -> Band | None:
        """The space's band for an objective on this voice; of a moving band, the interval that it moves in. None where
        it has none, and for shares of the base model's loss before that is known."""
        recipe = self.search.space.get("objective", {}).get(objective) if self.search else None
        choice = band_choices.validate_python(recipe["band"]) if recipe else None
        band = resolve_band(choice, self.base_loss(objective))
        return band.auto_within if isinstance(band, AutoBand) else band

    @property
    def base_training(self) -> Mapping[str, float]:
        """The base model's losses on the training clips, in training mode; empty where they were not measured."""
        losses = self.base.base_losses if self.base else None
        return losses.training.root if losses else {}

    def base_loss(self, objective: str) -> float | None:
        """The base model's training loss of an objective, where every trial begins; None where it was not measured."""
        return self.base_training.get(objective)

    def latest_band(self, objective: str) -> Band | None:
        """The band of the latest trial of this objective; of a moving band, its current place."""
        drawn = [trial for trial, draw in self.drawn.items() if draw.objective == objective]
        return self.band_of(drawn[-1]) if drawn else self.band(objective)

    def band_of(self, trial: str) -> Band | None:
        """The band of a trial; None where neither its own nor its objective's is known."""
        if trial in self.bands:
            return self.bands[trial]
        ended = self.outcomes.get(trial)
        draw = self.drawn.get(trial) or (ended.draw if ended else None)
        return self.band(draw.objective) if draw else None


class Ledger:
    """Appends entries to a ledger."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: Entry) -> None:
        """Adds one line, and returns when it is on disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # A diverged trial has losses that are not finite, which JSON can hold only as strings.
        line = to_json(entry.model_dump(), inf_nan_mode="strings") + b"\n"
        with self.path.open("ab+") as file:
            # The lock is held until the file is closed, so that two writers never mix their lines.
            fcntl.flock(file, fcntl.LOCK_EX)
            if _ends_in_cut_line(file):
                line = b"\n" + line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


def _ends_in_cut_line(file: BinaryIO) -> bool:
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def read_ledger(path: Path) -> History:
    """Reads a ledger. Lines that cannot be used are listed in `problems`. Raises InputError when there is no ledger."""
    if not path.is_file():
        raise InputError(
            f"{path}: no ledger here; expected the folder of a search, which `python search/run.py --out RUN` writes"
        )
    reader, problems = _Reader(), []
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = _entries.validate_json(line)
        except ValidationError as error:
            problems.append(f"{path.name}, line {number}: {_explain(error)}; left out")
            continue
        problem = reader.add(entry)
        if problem:
            problems.append(f"{path.name}, line {number}: {problem}")
    return replace(reader.history, problems=tuple(problems))


class _Reader:
    """Folds entries, in order, into a History."""

    def __init__(self) -> None:
        self.history = History()
        self._latest: datetime | None = None

    def add(self, entry: Entry) -> str | None:
        """Adds an entry. Returns what is wrong with an entry that contradicts an earlier one, and leaves it out."""
        history = self.history
        if isinstance(entry, VotesGiven):
            # Votes say neither that the search goes on nor how long it took.
            for vote in entry.votes:
                history.votes.setdefault((entry.round, vote.pair), vote)
            return None
        self._update(ended=entry.reason if isinstance(entry, SearchEnded) else None)
        self._count_time(entry)
        match entry:
            case SearchStarted():
                return self._start(entry)
            case BaseProbed() if history.base is not None:
                return "the base was probed twice; the first outcome stands"
            case BaseProbed():
                self._update(base=entry.outcome)
            case TrialDrawn() if history.drawn.get(entry.trial, entry.draw) != entry.draw:
                return f"trial {entry.trial} was drawn twice; the first draw stands"
            case TrialDrawn():
                history.drawn[entry.trial] = entry.draw
                if entry.band is not None:
                    history.bands.setdefault(entry.trial, entry.band)
            case TrialEnded() if entry.outcome.trial in history.outcomes:
                return f"trial {entry.outcome.trial} ended twice; the first outcome stands"
            case TrialEnded():
                history.outcomes[entry.outcome.trial] = entry.outcome
            case FinalistHeard() if entry.final.trial in history.confirmations:
                return f"finalist {entry.final.trial} was confirmed twice; the first confirmation stands"
            case FinalistHeard():
                history.confirmations[entry.final.trial] = entry.final
        return None

    def _start(self, entry: SearchStarted) -> str | None:
        first = self.history.search
        if entry.format > FORMAT:
            return f"format {entry.format}, written by a newer Sweetspot (this one reads {FORMAT}); left out"
        if first is not None and _identity(entry) != _identity(first):
            return "another search was started in this ledger; the first one stands"
        self._update(search=first or entry, budget=entry.space.get("budget"), storage=entry.storage)
        return None

    def _count_time(self, entry: Entry) -> None:
        """Adds the time since the previous entry, unless the search was not running in between."""
        if not isinstance(entry, SearchStarted) and self._latest is not None:
            # A clock that was set back subtracts nothing.
            elapsed = max(0.0, (entry.time - self._latest).total_seconds())
            self._update(seconds=self.history.seconds + elapsed)
        self._latest = entry.time

    def _update(self, **changes: Any) -> None:
        self.history = replace(self.history, **changes)


def _identity(entry: SearchStarted) -> tuple[Any, ...]:
    """What must not change when a search is resumed. The budget and the location of the data may."""
    space = {key: value for key, value in entry.space.items() if key != "budget"}
    return entry.family, entry.fingerprint, entry.model, entry.seed, space


def _explain(error: ValidationError) -> str:
    problem = error.errors()[0]
    if problem["type"] == "json_invalid":
        return "cut off or not JSON"
    if problem["type"] == "union_tag_invalid":
        return f"unknown entry {problem['ctx']['tag']!r}, perhaps written by a newer Sweetspot"
    if problem["type"] == "extra_forbidden":
        return f"unknown field {problem['loc'][-1]!r}, perhaps written by a newer Sweetspot"
    return ": ".join([".".join(str(part) for part in problem["loc"]) or "not an entry", problem["msg"]])
