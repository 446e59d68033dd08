"""Votes of blind listening rounds: which of two recordings of a line, an adapter's or the base model's, was better."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from spaces.frozen_model import FrozenModel

if TYPE_CHECKING:
    from results.run.ledger import SearchStarted

VOTES_FORMAT = 1
"""Format of a votes file; raised when an older reader would misunderstand it."""


class Preference(StrEnum):
    TRIAL = "trial"
    BASE = "base"
    NEITHER = "neither"
    """No difference."""


class VotePair(NamedTuple):
    """Two recordings of one line: a trial's and the base model's."""

    trial: str
    confirmation: bool
    """Whether the line is from the confirmation of finalists; otherwise every trial speaks it."""
    text: str
    occurrence: int
    """How often the same text came before it."""


class Vote(FrozenModel):
    """One vote on one pair."""

    trial: str
    confirmation: bool
    text: str
    occurrence: int = Field(ge=0)
    first: Literal["trial", "base"]
    """Which of the two was recording A."""
    choice: Preference

    @property
    def pair(self) -> VotePair:
        return VotePair(self.trial, self.confirmation, self.text, self.occurrence)


class VotesFile(FrozenModel):
    """The file that the listening page downloads."""

    format: int
    search: str
    """`search_id` of the search."""
    round: str = Field(min_length=1, max_length=64)
    """Random name of the round, so that no vote is counted twice."""
    votes: tuple[Vote, ...]


@dataclass(frozen=True)
class VoteTally:
    """Votes for a trial and for the base model."""

    trial: int
    base: int
    neither: int

    def __str__(self) -> str:
        undecided = f", {self.neither} for neither" if self.neither else ""
        return f"{self.trial} for it, {self.base} for the base{undecided}"


def tally_votes(votes: Iterable[Vote]) -> dict[str, VoteTally]:
    """Counts votes by trial, for the trials that have any."""
    counts: dict[str, dict[Preference, int]] = {}
    for vote in votes:
        counts.setdefault(vote.trial, dict.fromkeys(Preference, 0))[vote.choice] += 1
    return {
        trial: VoteTally(count[Preference.TRIAL], count[Preference.BASE], count[Preference.NEITHER])
        for trial, count in counts.items()
    }


def search_id(search: SearchStarted) -> str:
    """Identifies a search in a votes file, by the dataset's fingerprint, the seed and the first start."""
    return hashlib.sha256(f"{search.fingerprint} {search.seed} {search.time.isoformat()}".encode()).hexdigest()[:16]
