"""The append-only record of a search: one JSON line per event. Every table, plot and export reads it.

A search and who adds votes to it write in turn; any number read, also while it is being written. A line that a crash
has cut, or that a newer Sweetspot wrote, costs only itself.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from results.run.vote import Vote, VotePair
from spaces.band import Band
from spaces.draw import Draw, Objective
from spaces.errors import InputError
from spaces.records.confirmation import Confirmation
from spaces.records.trial import Outcome
from trainable.dataset.source import Source

FORMAT = 1
"""Raised when an older reader would misunderstand what is written."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    time: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))


class SearchStarted(_Entry):
    """The first line, and once more after each resumption."""

    entry: Literal["search_started"] = "search_started"
    format: int = FORMAT
    space: dict[str, Any]
    """The space as it is searched, as JSON."""
    family: str
    """Module of the model family."""
    data: tuple[str, ...]
    """Its sources, as `--data` takes them."""
    auto_reference: bool
    fingerprint: str
    """The dataset's."""
    model: str
    seed: int
    versions: dict[str, str]
    """Of the libraries that results depend on."""
    storage: str | None = None
    """Address of the run's folder in storage; None where its nodes share a folder."""

    @property
    def voice(self) -> str:
        """What the sources are called, for titles."""
        return " + ".join(Source.parse(source).name for source in self.data)


class BaseProbed(_Entry):
    """Row zero: the base model's own clone of the voice."""

    entry: Literal["base_probed"] = "base_probed"
    outcome: Outcome


class TrialDrawn(_Entry):
    """A trial was handed to a GPU loop."""

    entry: Literal["trial_drawn"] = "trial_drawn"
    trial: str
    draw: Draw
    band: Band | None = None
    """The interval that it is judged by; None in older ledgers, where it is the space's."""


class TrialEnded(_Entry):
    entry: Literal["trial_ended"] = "trial_ended"
    outcome: Outcome


class FinalistHeard(_Entry):
    """A finalist was listened to for longer, or the base model beside them."""

    entry: Literal["finalist_heard"] = "finalist_heard"
    final: Confirmation


class SearchEnded(_Entry):
    entry: Literal["search_ended"] = "search_ended"
    reason: str


class VotesGiven(_Entry):
    """What a person preferred in a blind round. It may come at any time, also after the search."""

    entry: Literal["votes_given"] = "votes_given"
    round: str
    """The round's own name; each of its pairs counts once."""
    votes: tuple[Vote, ...]


Entry = SearchStarted | BaseProbed | TrialDrawn | TrialEnded | FinalistHeard | SearchEnded | VotesGiven
_entries: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="entry")])


@dataclass(frozen=True)
class History:
    """What a ledger says so far."""

    search: SearchStarted | None = None
    base: Outcome | None = None
    drawn: dict[str, Draw] = field(default_factory=dict)
    """Trials in the order they were drawn."""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    confirmations: dict[str, Confirmation] = field(default_factory=dict)
    """Of the finalists, and of the base model, once they have been heard."""
    ended: str | None = None
    """Why the search ended; None while it goes on, also after a resumption."""
    problems: tuple[str, ...] = ()
    """Lines that could not be used, each with its number."""
    bands: dict[str, Band] = field(default_factory=dict)
    """By which interval each trial is judged, where that was written down."""
    seconds: float = 0.0
    """During which the search ran: from each start to the last entry before the next one."""
    budget: dict[str, Any] | None = None
    """As it was when the search was last started or resumed, as JSON."""
    votes: dict[tuple[str, VotePair], Vote] = field(default_factory=dict)
    """Of blind rounds, by the round and the pair."""
    storage: str | None = None
    """Where the run was kept besides when the search was last started or resumed."""

    @property
    def running(self) -> tuple[str, ...]:
        """Trials that were drawn and have not ended."""
        return tuple(trial for trial in self.drawn if trial not in self.outcomes)

    def band(self, objective: Objective) -> Band | None:
        """The band the search was started with, of one that moves the interval it moves in; None where the space has
        none for this objective."""
        recipe = self.search.space.get("objective", {}).get(objective.value) if self.search else None
        return Band.model_validate(recipe["band"].get("auto_within", recipe["band"])) if recipe else None

    def latest_band(self, objective: Objective) -> Band | None:
        """By which the latest trial of this objective is judged: of a band that moves, where it has come to."""
        drawn = [trial for trial, draw in self.drawn.items() if draw.objective is objective]
        return self.band_of(drawn[-1]) if drawn else self.band(objective)

    def band_of(self, trial: str) -> Band | None:
        """The interval that this trial is judged by; None where neither its own nor its objective's is known."""
        if trial in self.bands:
            return self.bands[trial]
        ended = self.outcomes.get(trial)
        draw = self.drawn.get(trial) or (ended.draw if ended else None)
        return self.band(draw.objective) if draw else None


class Ledger:
    """A writer of a ledger."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: Entry) -> None:
        """Adds one line and returns once it is on the disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # A diverged trial has losses that are not finite; JSON can say them only as strings.
        line = to_json(entry.model_dump(), inf_nan_mode="strings") + b"\n"
        with self.path.open("ab+") as file:
            # Held until the file is closed, so that two writers never mix their lines.
            fcntl.flock(file, fcntl.LOCK_EX)
            if _ends_in_cut_line(file):
                line = b"\n" + line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


def _ends_in_cut_line(file: Any) -> bool:
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def read_ledger(path: Path) -> History:
    """Everything the ledger says; what it cannot use is listed in `problems` and the rest kept.

    Raises InputError when there is no ledger.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: no ledger here; expected the folder of a search, such as the one that "
            "`python search/run.py --out RUN` writes"
        )
    reader = _Reader()
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = _entries.validate_json(line)
        except ValidationError as error:
            reader.problems.append(f"{path.name}, line {number}: {_explain(error)}; left out")
            continue
        problem = reader.take(entry)
        if problem:
            reader.problems.append(f"{path.name}, line {number}: {problem}")
    return reader.history()


class _Reader:
    """Folds entries, in order, into a History."""

    def __init__(self) -> None:
        self.search: SearchStarted | None = None
        self.base: Outcome | None = None
        self.drawn: dict[str, Draw] = {}
        self.bands: dict[str, Band] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.confirmations: dict[str, Confirmation] = {}
        self.ended: str | None = None
        self.problems: list[str] = []
        self.seconds = 0.0
        self.budget: dict[str, Any] | None = None
        self.votes: dict[tuple[str, VotePair], Vote] = {}
        self.storage: str | None = None
        self._latest: datetime | None = None

    def history(self) -> History:
        told = self.search, self.base, self.drawn, self.outcomes, self.confirmations, self.ended, tuple(self.problems)
        return History(*told, self.bands, self.seconds, self.budget, self.votes, self.storage)

    def take(self, entry: Entry) -> str | None:
        """Adds an entry. Returns what is wrong with it when it contradicts an earlier one, which then stands."""
        if isinstance(entry, VotesGiven):
            # It says nothing of the search: neither that it goes on nor how long it took.
            for vote in entry.votes:
                self.votes.setdefault((entry.round, vote.pair), vote)
            return None
        self.ended = entry.reason if isinstance(entry, SearchEnded) else None
        self._count_time(entry)
        match entry:
            case SearchStarted() if entry.format > FORMAT:
                return f"format {entry.format}, written by a newer Sweetspot (this one reads {FORMAT}); left out"
            case SearchStarted() if self.search is None:
                self.search, self.budget, self.storage = entry, entry.space.get("budget"), entry.storage
            case SearchStarted() if _identity(entry) != _identity(self.search):
                return "another search was started in this ledger; the first one stands"
            case SearchStarted():
                self.budget, self.storage = entry.space.get("budget"), entry.storage
            case BaseProbed() if self.base is not None:
                return "the base was probed twice; the first outcome stands"
            case BaseProbed():
                self.base = entry.outcome
            case TrialDrawn() if self.drawn.get(entry.trial, entry.draw) != entry.draw:
                return f"trial {entry.trial} was drawn twice; the first draw stands"
            case TrialDrawn():
                self.drawn[entry.trial] = entry.draw
                if entry.band is not None:
                    self.bands.setdefault(entry.trial, entry.band)
            case TrialEnded() if entry.outcome.trial in self.outcomes:
                return f"trial {entry.outcome.trial} ended twice; the first outcome stands"
            case TrialEnded():
                self.outcomes[entry.outcome.trial] = entry.outcome
            case FinalistHeard() if entry.final.trial in self.confirmations:
                return f"finalist {entry.final.trial} was heard twice; the first time stands"
            case FinalistHeard():
                self.confirmations[entry.final.trial] = entry.final
        return None

    def _count_time(self, entry: Entry) -> None:
        """The time since the entry before, unless nobody was at work in between."""
        if not isinstance(entry, SearchStarted) and self._latest is not None:
            # A clock that was set back takes nothing away.
            self.seconds += max(0.0, (entry.time - self._latest).total_seconds())
        self._latest = entry.time


def _identity(entry: SearchStarted) -> tuple[Any, ...]:
    """What must not change when a search is resumed. Its budget may, and so may the data's place."""
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
