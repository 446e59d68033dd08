"""Counts how often outcomes are read from the folders of trials, and how often those are pulled from storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from search.benches import trial_function
from search.tuning import isolated_executor, outcome_file
from spaces.records.trial import Outcome
from spaces.storage_uri import Storage
from trainable.files import mirror
from trainable.files.trial_folder import TrialFolder


@dataclass
class CountedOutcomes:
    reads: int = 0
    pulls: int = 0
    """Also those that do nothing, because nodes share the folder."""


@contextmanager
def counted_outcomes() -> Iterator[CountedOutcomes]:
    """Between the training loop and the ledger, in this process."""
    counts, read, pull = CountedOutcomes(), TrialFolder.read_outcome, mirror.pull

    def counted_read(folder: TrialFolder) -> Outcome | None:
        counts.reads += 1
        return read(folder)

    def counted_pull(storage: Storage | None, folder: Path) -> None:
        counts.pulls += 1
        pull(storage, folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrialFolder, "read_outcome", counted_read)
        for module in (trial_function, isolated_executor, outcome_file):
            patch.setattr(module, "pull", counted_pull)
        yield counts
