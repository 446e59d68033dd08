"""Data of a blind listening round: pairs of recordings of one line, a trial's and the base model's."""

from collections.abc import Sequence
from typing import Any

from results.analysis.pairs import pairs_with_base
from results.report.media import PageMedia
from results.run.ledger import History
from results.run.vote import VOTES_FORMAT, search_id
from spaces.records.trial import BASE

ROUND_SIZE = 12
"""Pairs of one round, a few minutes of listening."""


def blind_round(history: History, featured: Sequence[str], media: PageMedia) -> dict[str, Any] | None:
    """What the page needs for blind rounds, as JSON; None without a pair of recordings.

    The page selects and shuffles pairs and hides their order. Recordings are given by address.
    """
    pairs = []
    for trial in featured:
        for pair, (own, base) in pairs_with_base(history, trial).items():
            addresses = media.recording(trial, own.audio), media.recording(BASE, base.audio)
            if own.decides and all(addresses):
                pairs.append({**pair._asdict(), "addresses": {"trial": addresses[0], "base": addresses[1]}})
    if not pairs or history.search is None:
        return None
    return {"format": VOTES_FORMAT, "search": search_id(history.search), "size": ROUND_SIZE, "pairs": pairs}
