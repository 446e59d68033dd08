"""What a person preferred without knowing which was which: a line as an adapter said it, or as the base model did."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from results.run.ledger import SearchStarted

VOTES_FORMAT = 1
"""Raised when an older reader would misunderstand a file of votes."""


class Preference(StrEnum):
    TRIAL = "trial"
    BASE = "base"
    NEITHER = "neither"
    """No difference that matters."""


class VotePair(NamedTuple):
    """Two recordings of one line: a trial's and the base model's."""

    trial: str
    confirmation: bool
    """Whether it is one of the lines of finalists; otherwise one that every trial speaks."""
    text: str
    occurrence: int
    """How often the text came before among those lines."""


class Vote(BaseModel):
    """One decision about one pair."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trial: str
    confirmation: bool
    text: str
    occurrence: int = Field(ge=0)
    first: Literal["trial", "base"]
    """Which of the two was called A."""
    choice: Preference

    @property
    def pair(self) -> VotePair:
        return VotePair(self.trial, self.confirmation, self.text, self.occurrence)


class VotesFile(BaseModel):
    """What the listening page downloads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    search: str
    """Of which search, see `search_id`."""
    round: str = Field(min_length=1, max_length=64)
    """Drawn at random when a round begins, so that nothing is counted twice."""
    votes: tuple[Vote, ...]


@dataclass(frozen=True)
class VoteTally:
    """How a trial fared against the base model in people's ears."""

    trial: int
    base: int
    neither: int

    def __str__(self) -> str:
        undecided = f", {self.neither} for neither" if self.neither else ""
        return f"{self.trial} for it, {self.base} for the base{undecided}"


def tally_votes(votes: Iterable[Vote]) -> dict[str, VoteTally]:
    """By trial, of those that were voted on."""
    counts: dict[str, dict[Preference, int]] = {}
    for vote in votes:
        of = counts.setdefault(vote.trial, dict.fromkeys(Preference, 0))
        of[vote.choice] += 1
    return {
        trial: VoteTally(of[Preference.TRIAL], of[Preference.BASE], of[Preference.NEITHER])
        for trial, of in counts.items()
    }


def search_id(search: SearchStarted) -> str:
    """What a file of votes names its search by: the dataset's fingerprint, the seed and when it was first started."""
    return hashlib.sha256(f"{search.fingerprint} {search.seed} {search.time.isoformat()}".encode()).hexdigest()[:16]
