"""A whole search, from a checked plan to an exported adapter."""

from __future__ import annotations

import functools
from importlib.metadata import version

from rich.console import Console

from results.export import export_trial
from results.ledger import BaseProbed, Ledger, SearchEnded, SearchStarted, read_ledger
from results.ranking import ranked
from results.run_folder import RunFolder
from search.failure import root_reason
from search.live import view_on
from search.machine import Machine
from search.plan import Plan
from search.ray_session import ray_session
from search.remote import OnProgress, do_remotely
from search.summary import Finish
from search.trials import run_trials
from spaces.errors import InputError
from spaces.trial import Outcome
from trainable.dataset import VoiceDataset
from trainable.foundation import lay_foundation

STOP_FILE = "stop"
"""In the run's folder; where it stands, running trials end after the step they are in."""
LIBRARIES = ("torch", "transformers", "qwen-tts", "peft", "ray", "optuna", "sweetspot")


def conduct(plan: Plan, dataset: VoiceDataset, console: Console) -> Finish:
    """Searches, and exports the best accepted adapter. Raises InputError when the foundation cannot be laid."""
    run, ledger = plan.run, Ledger(plan.run.ledger)
    stop_file = run.path / STOP_FILE
    with ray_session(plan) as machine, view_on(console, plan.budget.trials, machine.at_once) as view:
        stop_file.unlink(missing_ok=True)
        _begin(plan, dataset, ledger)
        if read_ledger(run.ledger).base is None:
            ledger.append(BaseProbed(outcome=_lay_foundation(plan, machine, view.progress)))
        history = read_ledger(run.ledger)
        view.base(history.base)
        spending = run_trials(plan, len(dataset.clips), machine, ledger, view, history, stop_file)
        reason = spending.why_closed() or f"all {plan.budget.trials} trials were drawn"
        ledger.append(SearchEnded(reason=reason))
        problem = _export_best(run, machine, view.progress)
    return Finish(plan, read_ledger(run.ledger), reason, spending.interrupted, problem)


def _begin(plan: Plan, dataset: VoiceDataset, ledger: Ledger) -> None:
    ledger.append(
        SearchStarted(
            space=plan.space.model_dump(mode="json"),
            family=plan.family,
            data=str(plan.data),
            fingerprint=dataset.fingerprint(),
            model=plan.model,
            seed=plan.seed,
            versions={name: version(name) for name in LIBRARIES},
        )
    )


def _lay_foundation(plan: Plan, machine: Machine, on_progress: OnProgress) -> Outcome:
    from ray.exceptions import RayError

    work = functools.partial(
        lay_foundation,
        plan.data,
        plan.auto_reference,
        plan.family,
        plan.model,
        plan.space.language,
        plan.seed,
        plan.space.probe,
        plan.run.prepared,
        plan.run.base,
    )
    try:
        return do_remotely(work, machine, on_progress)
    except RayError as error:
        raise InputError(
            f"{plan.model}: preparing the voice with it failed, {root_reason(error)}; "
            "give it more memory or take a smaller model, then go on with --resume"
        ) from None


def _export_best(run: RunFolder, machine: Machine, on_progress: OnProgress) -> str | None:
    """Exports the best accepted adapter, if there is one. Returns what went wrong; the search itself is safe."""
    accepted = ranked(read_ledger(run.ledger).outcomes.values())
    if not accepted:
        return None
    try:
        do_remotely(functools.partial(_export, run, accepted[0].trial), machine, on_progress)
    except Exception as error:
        return root_reason(error)
    return None


def _export(run: RunFolder, trial: str, on_progress: OnProgress) -> None:
    on_progress(f"exporting {trial}, loading it back and letting it speak", 0, 1)
    export_trial(run, trial, run.best)
