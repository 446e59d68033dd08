"""Checks the run in object storage before a search, and restores it to a disk that has lost it."""

import json
from pathlib import Path

from results.run.ledger import Ledger, TrialDrawn, read_ledger
from results.run.run_folder import RunFolder
from search.planning.arguments import Arguments
from search.planning.plan import Plan
from search.run_state.lock import refuse_if_locked
from search.run_state.sync import WORKER_ENTRIES
from spaces.cli import OnProgress
from spaces.draw import Draw
from spaces.errors import InputError
from spaces.families import read_draw
from spaces.storage_uri import Storage, checked_uri
from trainable.dataset.finding import Finding, Severity
from trainable.files.mirror import Mirror
from trainable.files.object_store import ObjectStore, is_ignored
from trainable.files.trial_folder import TrialFolder

LEDGER = RunFolder(Path()).ledger.name


def check_storage(plan: Plan) -> list[Finding]:
    """Writes, reads and deletes a file in storage. Warns of a model that storage does not bring to the nodes.

    Raises InputError if that fails, or if another search is stored there.
    """
    if plan.storage is None:
        return []
    stored = ObjectStore(plan.storage)
    if not plan.resume and stored.read(LEDGER) is not None:
        raise InputError(
            f"--storage {plan.storage}: holds another search; add --resume --out RUN to continue it, or give another"
        )
    stored.check()
    if not Path(plan.model).is_dir():
        return []
    return [
        Finding(
            severity=Severity.WARNING,
            check="storage",
            where=plan.model,
            message="this folder must exist on every node: --storage copies datasets to the nodes, but not models; "
            "each node downloads a model of the Hub by itself",
        )
    ]


def restore_run(arguments: Arguments, on_progress: OnProgress) -> None:
    """Before --resume, fetches what storage has and this disk lacks. Does nothing for a run without storage.

    The longer ledger is the newer one, because a ledger only grows. Raises InputError if the two ledgers differ, or if
    storage holds no search.
    """
    if not arguments.resume or arguments.out is None:
        return
    run = RunFolder(arguments.out.resolve())
    here = run.ledger.read_bytes() if run.ledger.is_file() else b""
    uri = arguments.storage or (read_ledger(run.ledger).storage if here else None)
    if uri is None:
        return
    refuse_if_locked(run)
    mirror = Mirror.of(Storage(root=run.path, uri=checked_uri(uri)))
    there = mirror.store.read(LEDGER)
    if there is None and not here:
        raise InputError(f"--storage {uri}: no search is kept there, nor in {run.path}; check the address")
    if there is None or here.startswith(there):
        return
    if not there.startswith(here):
        raise InputError(
            f"{run.path} and {uri} hold the same search, continued separately; give another --out to continue the one "
            "in storage, or another --storage to continue the one on this disk"
        )
    _pull_all(run, mirror, on_progress)
    _record_missing_draws(run)


def _pull_all(run: RunFolder, mirror: Mirror, on_progress: OnProgress) -> None:
    """Fetches the ledger last, so that all trials it records are there."""
    names = mirror.store.listing(run.trials.name)
    trials = sorted({name.split("/")[1] for name in names if not is_ignored(name)})
    folders = [run.prepared, run.base, run.best, *(run.trial(name) for name in trials)]
    for done, folder in enumerate(folders):
        on_progress("fetching the run from storage", done, len(folders) + 1)
        mirror.pull(folder.relative_to(run.path).as_posix())
    mirror.pull(".", exclude=WORKER_ENTRIES)


def _record_missing_draws(run: RunFolder) -> None:
    """Adds trials to the ledger that were drawn after it was last pushed."""
    known = read_ledger(run.ledger).drawn
    folders = sorted(run.trials.iterdir()) if run.trials.is_dir() else []
    for folder in folders:
        draw = None if folder.name in known else _draw_of(TrialFolder(folder))
        if draw is not None:
            Ledger(run.ledger).append(TrialDrawn(trial=folder.name, draw=draw))


def _draw_of(folder: TrialFolder) -> Draw | None:
    """The draw in the outcome or the last checkpoint of a trial; None if it has neither."""
    outcome = folder.read_outcome()
    if outcome is not None:
        return outcome.draw
    markers = sorted(folder.checkpoints.glob("step-*/COMPLETE"))
    return read_draw(json.loads(markers[-1].with_name("state.json").read_text())["draw"]) if markers else None
