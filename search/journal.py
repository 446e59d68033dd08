"""The study as a file in the run's folder, for optuna-dashboard and whoever else reads Optuna's journals."""

from __future__ import annotations

from pathlib import Path

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

JOURNAL = "study.journal"


def new_journal(run: Path) -> JournalStorage:
    """An empty one in the run's folder. What an earlier process left there is dropped, with the lock that it may have
    held when it was killed: the ledger is the record, and from it the study is told everything again.
    """
    for left in run.glob(f"{JOURNAL}*"):
        left.unlink()
    return JournalStorage(JournalFileBackend(str(run / JOURNAL)))
