"""A whole search, from a checked plan to an exported adapter.

After the last trial: finalists are heard for longer, and the base model beside them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from ray.exceptions import RayError
from rich.console import Console

from results.analysis.ranking import finalists, ranked
from results.run.ledger import BaseProbed, FinalistHeard, Ledger, SearchEnded, SearchStarted, read_ledger
from results.tensorboard.writer import TensorBoardWriter
from search import remote_tasks
from search.benches.bench_executor import open_benches
from search.benches.worker import BenchSpec
from search.checking.checks import disk_needed, model_size, refuse_another_search
from search.cluster.environment import versions
from search.cluster.failure import NoNodeError, root_reason
from search.cluster.nodes import wait_for_nodes
from search.cluster.preflight import check_nodes, node_requirements
from search.cluster.session import ray_session
from search.console.after import SearchEnd
from search.console.before import warning_lines
from search.console.live import open_view
from search.console.view import View
from search.planning.disk import full_disk
from search.planning.layout import BenchLayout, lay_out_benches
from search.planning.plan import LOCAL, CheckedData, Plan
from search.planning.resources import Resources, share_resources
from search.proposals.budget import BudgetTracker
from search.run_state.lock import writer_lock
from search.run_state.sync import mirrored, push_bookkeeping
from search.tuning.executor import Executor
from search.tuning.isolated_executor import IsolatedExecutor
from search.tuning.run_trials import run_trials
from spaces.cli import OnProgress
from spaces.errors import InputError
from spaces.records.pack_shape import PackShape
from spaces.records.trial import Outcome
from trainable.dataset.finding import read_findings
from trainable.files.mirror import pull


def confirm_finalists(plan: Plan, executor: Executor, ledger: Ledger, view: View) -> None:
    """Whoever was heard already, before the search was cut off, is not heard again.

    A finalist that cannot be heard is told and stands on its first verdict: nothing that is finished is lost.
    """
    history = read_ledger(plan.run.ledger)
    chosen = finalists(history, plan.space.probe.finalists)
    if not chosen or history.base is None:
        return
    for outcome in (history.base, *chosen):
        if outcome.trial in history.confirmations:
            continue
        try:
            final = executor.run_task(functools.partial(remote_tasks.confirm, plan, outcome), view.progress)
            pull(plan.stored, plan.run.trial(outcome.trial) if outcome.draw else plan.run.base)
        except Exception as error:
            view.say(f"{outcome.trial} was not heard on sixty other lines: {root_reason(error)}")
        else:
            ledger.append(FinalistHeard(final=final))
            TensorBoardWriter(plan.run).add_confirmation(final)


STOP_FILE = "stop"
"""In the run's folder; where it stands, running trials end after the step they are in."""
LIBRARIES = ("torch", "transformers", "qwen-tts", "peft", "ray", "optuna", "sweetspot")


def run_search(plan: Plan, checked: CheckedData, console: Console) -> SearchEnd:
    """Searches, and exports the best accepted adapter.

    Raises InputError when the foundation cannot be laid, and while another process writes to the run's folder.
    """
    with writer_lock(plan.run):
        if not plan.resume:
            # Another search may have begun there since the plan was checked.
            refuse_another_search(plan.run)
        stop_file = plan.run.path / STOP_FILE
        stop_file.unlink(missing_ok=True)
        with mirrored(plan, checked, stop_file, lambda line: console.print(line, markup=False, highlight=False)):
            return _conduct(plan, checked, console, stop_file)


def _conduct(plan: Plan, checked: CheckedData, console: Console, stop_file: Path) -> SearchEnd:
    run, ledger = plan.run, Ledger(plan.run.ledger)
    with (
        ray_session(plan) as resources,
        _executor(plan, _ready(plan, resources, console), stop_file) as executor,
        open_view(console, plan.budget.trials, executor.max_concurrent) as view,
    ):
        view.say(f"Trials: {executor.description}")
        _begin(plan, checked, ledger)
        if read_ledger(run.ledger).base is None:
            ledger.append(BaseProbed(outcome=_lay_foundation(plan, executor, view.progress)))
            for line in warning_lines(read_findings(run.findings)):
                view.say(line)
        history = read_ledger(run.ledger)
        view.base(history.base)
        why_full = full_disk(run.path, disk_needed(plan, checked))
        budget = BudgetTracker(plan.budget, history=history, stuck_reason=lambda: executor.stuck_reason() or why_full())
        run_trials(plan, checked.split.epoch_size, executor, ledger, view, history, budget, stop_file)
        if not budget.interrupted and executor.stuck_reason() is None:
            confirm_finalists(plan, executor, ledger, view)
        reason = budget.stop_reason() or f"all {plan.budget.trials} trials were drawn"
        ledger.append(SearchEnded(reason=reason))
        problem = _export_best(plan, executor, view.progress)
    return SearchEnd(plan, read_ledger(run.ledger), reason, budget.interrupted, problem)


def _ready(plan: Plan, resources: Resources, console: Console) -> Resources:
    """What there is once nothing of it keeps trials from running. Raises InputError where something does."""
    if plan.address == LOCAL:
        return resources

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    resources = wait_for_nodes(plan.mode, say)
    size = None if Path(plan.model).is_dir() else model_size(plan.family, plan.model, plan.space)
    check_nodes(node_requirements(plan, size.file_bytes if size else 0.0), say)
    return resources


@contextmanager
def _executor(plan: Plan, resources: Resources, stop_file: Path) -> Iterator[Executor]:
    """How trials run. The one place where that is chosen."""
    trials = plan.budget.trials
    if plan.mode.isolate:
        yield IsolatedExecutor(share_resources(resources, trials), plan.run.ray, stop_file)
        return
    layout, here = lay_out_benches(resources, plan.mode, trials), None
    if plan.address != LOCAL:
        layout, here = replace(layout, wait_seconds=60 * plan.mode.wait_minutes), versions()
    with open_benches(layout, bench_spec(plan, layout), plan.run.ray, stop_file, here) as executor:
        yield executor


def bench_spec(plan: Plan, layout: BenchLayout) -> BenchSpec:
    """What every bench of this search is."""
    return BenchSpec(
        family=plan.family,
        model=plan.model,
        prepared=plan.run.prepared,
        language=plan.space.language,
        shape=PackShape.from_space(plan.space),
        memory=layout.memory,
        force_seats=layout.force_seats,
        threads=layout.threads,
        storage=plan.stored,
        lines=plan.space.probe.lines,
    )


def _begin(plan: Plan, checked: CheckedData, ledger: Ledger) -> None:
    ledger.append(
        SearchStarted(
            space=plan.space.model_copy(update={"budget": plan.budget}).model_dump(mode="json"),
            family=plan.family,
            data=tuple(str(source) for source in plan.sources),
            auto_reference=plan.auto_reference,
            fingerprint=checked.dataset.fingerprint(),
            model=plan.model,
            seed=plan.seed,
            versions={name: version(name) for name in LIBRARIES},
            storage=plan.storage,
        )
    )


def _lay_foundation(plan: Plan, executor: Executor, on_progress: OnProgress) -> Outcome:
    try:
        outcome = executor.run_task(functools.partial(remote_tasks.measure_baseline, plan), on_progress)
    except NoNodeError as error:
        raise InputError(str(error)) from None
    except RayError as error:
        raise InputError(
            f"{plan.model}: preparing the voice with it failed, {root_reason(error)}; "
            "give it more memory or take a smaller model, then go on with --resume"
        ) from None
    pull(plan.stored, plan.run.prepared)
    pull(plan.stored, plan.run.base)
    return outcome


def _export_best(plan: Plan, executor: Executor, on_progress: OnProgress) -> str | None:
    """Exports the best accepted adapter, if there is one. Returns what went wrong; the search itself is safe."""
    accepted = ranked(read_ledger(plan.run.ledger))
    if not accepted:
        return None
    try:
        push_bookkeeping(plan)
        executor.run_task(functools.partial(remote_tasks.export, plan, accepted[0].trial), on_progress)
        pull(plan.stored, plan.run.best)
    except Exception as error:
        return root_reason(error)
    return None
