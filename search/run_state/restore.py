"""A run that storage has: refused to another search, and brought back to a disk that has lost it."""

from __future__ import annotations

import json
from pathlib import Path

from results.run.ledger import Ledger, TrialDrawn, read_ledger
from results.run.run_folder import RunFolder
from search.planning.plan import Arguments, Plan
from search.run_state.lock import refuse_if_locked
from search.run_state.sync import WORKER_ENTRIES
from spaces.cli import OnProgress
from spaces.draw import Draw
from spaces.errors import InputError
from spaces.storage_uri import Storage, checked_uri
from trainable.dataset.finding import Finding, Severity
from trainable.files.mirror import Mirror
from trainable.files.object_store import ObjectStore, is_ignored
from trainable.files.trial_folder import TrialFolder

LEDGER = RunFolder(Path()).ledger.name


def check_storage(plan: Plan) -> list[Finding]:
    """Writes, reads and deletes a file there. Raises InputError where that fails, and where another search is kept."""
    if plan.storage is None:
        return []
    stored = ObjectStore(plan.storage)
    if not plan.resume and stored.read(LEDGER) is not None:
        raise InputError(
            f"--storage {plan.storage}: holds another search; add --resume --out RUN to go on with it, or give another"
        )
    stored.check()
    if not Path(plan.model).is_dir():
        return []
    return [
        Finding(
            severity=Severity.WARNING,
            check="storage",
            where=plan.model,
            message="a model in a folder has to be on every node, at this path: --storage brings datasets there, and "
            "no models; one of the hub is fetched by each node",
        )
    ]


def restore_run(typed: Arguments, on_progress: OnProgress) -> None:
    """Before --resume: what storage knows and this disk does not. Nothing where the run has no storage.

    The ledger says which of the two is newer: it only grows. Raises InputError where neither is, and where storage has
    no search.
    """
    if not typed.resume or typed.out is None:
        return
    run = RunFolder(typed.out.resolve())
    here = run.ledger.read_bytes() if run.ledger.is_file() else b""
    uri = typed.storage or (read_ledger(run.ledger).storage if here else None)
    if uri is None:
        return
    refuse_if_locked(run)
    mirror = Mirror.of(Storage(root=run.path, uri=checked_uri(uri)))
    there = mirror.stored.read(LEDGER)
    if there is None and not here:
        raise InputError(f"--storage {uri}: no search is kept there, nor in {run.path}; look for another address")
    if there is None or here.startswith(there):
        return
    if not there.startswith(here):
        raise InputError(
            f"{run.path} and {uri} hold the same search, gone on with in both places; give --out another folder to go "
            "on with what is in storage, or another --storage to go on with what is on this disk"
        )
    _pull_all(run, mirror, on_progress)
    _adopt(run)


def _pull_all(run: RunFolder, mirror: Mirror, on_progress: OnProgress) -> None:
    """The ledger last: whoever finds it finds all that it speaks of."""
    names = mirror.stored.listing(run.trials.name)
    trials = sorted({name.split("/")[1] for name in names if not is_ignored(name)})
    folders = [run.prepared, run.base, run.best, *(run.trial(name) for name in trials)]
    for done, folder in enumerate(folders):
        on_progress("fetching the run from storage", done, len(folders) + 1)
        mirror.pull(folder.relative_to(run.path).as_posix())
    mirror.pull(".", but=WORKER_ENTRIES)


def _adopt(run: RunFolder) -> None:
    """Trials that were drawn after the ledger was last pushed are in it again, with what they have come to."""
    known = read_ledger(run.ledger).drawn
    folders = sorted(run.trials.iterdir()) if run.trials.is_dir() else []
    for folder in folders:
        draw = None if folder.name in known else _draw_of(TrialFolder(folder))
        if draw is not None:
            Ledger(run.ledger).append(TrialDrawn(trial=folder.name, draw=draw))


def _draw_of(folder: TrialFolder) -> Draw | None:
    """As its outcome or its last checkpoint has it; None where the trial came to neither."""
    outcome = folder.read_outcome()
    if outcome is not None:
        return outcome.draw
    markers = sorted(folder.checkpoints.glob("step-*/COMPLETE"))
    return Draw.model_validate(json.loads(markers[-1].with_name("state.json").read_text())["draw"]) if markers else None
