"""The whole search on one page, from a checked plan to an exported adapter.

In: a `Plan` and its `CheckedData`. Out: a `SearchEnd`, and a run folder with the ledger, TensorBoard, every trial and,
in `best/`, the exported adapter. `_run_stages` runs the stages in order; the functions below it are those stages.
"""

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
from search.console.bands import band_lines
from search.console.before import warning_lines
from search.console.live import open_view
from search.console.view import View, print_lines
from search.planning.disk import disk_full_reason
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
from spaces.families import family_entry
from spaces.pack_shape import PackShape
from spaces.records.trial import Outcome
from trainable.dataset.finding import read_findings
from trainable.files.mirror import pull

LIBRARIES = ("torch", "transformers", "qwen-tts", "peft", "ray", "optuna", "sweetspot")
"""The ledger records their versions."""


def run_search(plan: Plan, checked: CheckedData, console: Console) -> SearchEnd:
    """Runs the search of a checked plan, and exports the best accepted adapter.

    Raises InputError when the baseline cannot be measured, or while another process writes to the run folder.
    """
    with writer_lock(plan.run):
        if not plan.resume:
            # Another search may have started here since the plan was checked.
            refuse_another_search(plan.run)
        plan.run.stop_file.unlink(missing_ok=True)
        with mirrored(plan, checked, lambda line: print_lines([line], console)):
            return _run_stages(plan, checked, console)


def _run_stages(plan: Plan, checked: CheckedData, console: Console) -> SearchEnd:
    """Starts Ray, then runs the stages: baseline, trials, confirmations, export."""
    run, ledger = plan.run, Ledger(plan.run.ledger)
    needed = disk_needed(plan, checked)
    with (
        ray_session(plan) as resources,
        _open_executor(plan, _checked_nodes(plan, resources, console)) as executor,
        open_view(console, plan.budget.trials, executor.max_concurrent) as view,
    ):
        view.say(f"Trials: {executor.description}")
        ledger.append(_search_started(plan, checked))

        # Baseline: prepares the dataset and probes the base model, once per run folder.
        if read_ledger(run.ledger).base is None:
            ledger.append(BaseProbed(outcome=_measure_baseline(plan, executor, view.progress)))
            for line in warning_lines(read_findings(run.findings)):
                view.say(line)
        history = read_ledger(run.ledger)
        view.base(history.base)
        if history.base.base_losses:
            losses = history.base.base_losses
            view.say(f"Losses of the base model on {losses.clips} clips: {losses}")
        for line in band_lines(plan.space, history.base_training):
            view.say(line)

        # Trials, until the budget is used up or nothing can go on.
        def stuck_reason() -> str | None:
            return executor.stuck_reason() or disk_full_reason(run.path, needed)

        budget = BudgetTracker(plan.budget, history=history, stuck_reason=stuck_reason)
        run_trials(plan, checked.split.epoch_size, executor, view, history, budget)

        # Confirmations: the best trials and the base model on more lines.
        if not budget.interrupted and executor.stuck_reason() is None:
            _confirm_finalists(plan, executor, ledger, view)
        reason = budget.stop_reason() or f"all {plan.budget.trials} trials were drawn"
        ledger.append(SearchEnded(reason=reason))

        # Export of the best accepted adapter.
        export_error = _export_best(plan, executor, view.progress)
    return SearchEnd(plan, read_ledger(run.ledger), reason, budget.interrupted, export_error)


def _checked_nodes(plan: Plan, resources: Resources, console: Console) -> Resources:
    """On a cluster, waits for a node that holds a trial and checks all nodes. Returns what Ray has then.

    Raises InputError when no such node comes, or when something on a node would make trials fail.
    """
    if plan.address == LOCAL:
        return resources

    def say(line: str) -> None:
        print_lines([line], console)

    resources = wait_for_nodes(plan.mode, say)
    size = None if Path(plan.model).is_dir() else model_size(plan.family, plan.model, plan.space)
    check_nodes(node_requirements(plan, size.file_bytes if size else 0.0), say)
    return resources


@contextmanager
def _open_executor(plan: Plan, resources: Resources) -> Iterator[Executor]:
    """Isolated trials or benches: the only place that chooses between the two."""
    trials = plan.budget.trials
    if plan.mode.isolate:
        yield IsolatedExecutor(share_resources(resources, trials), plan.run.ray, plan.run.stop_file)
        return
    layout, driver_environment = lay_out_benches(resources, plan.mode, trials), None
    if plan.address != LOCAL:
        layout, driver_environment = replace(layout, wait_seconds=60 * plan.mode.wait_minutes), versions()
    with open_benches(
        layout, bench_spec(plan, layout), plan.run.ray, plan.run.stop_file, driver_environment
    ) as executor:
        yield executor


def bench_spec(plan: Plan, layout: BenchLayout) -> BenchSpec:
    """What each bench of this search loads."""
    return BenchSpec(
        family=plan.family,
        model=plan.model,
        prepared=plan.run.prepared,
        language=plan.space.language,
        shape=(family_entry(plan.family).pack_shape or PackShape).from_space(plan.space),
        memory=layout.memory,
        force_seats=layout.force_seats,
        threads=layout.threads,
        storage=plan.stored,
        lines=plan.space.probe.lines,
        recogniser=plan.space.probe.recogniser,
    )


def _search_started(plan: Plan, checked: CheckedData) -> SearchStarted:
    return SearchStarted(
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


def _measure_baseline(plan: Plan, executor: Executor, on_progress: OnProgress) -> Outcome:
    """Prepares the dataset, and probes the base model's own clone of the voice. Raises InputError when that fails."""
    try:
        outcome = executor.run_task(functools.partial(remote_tasks.measure_baseline, plan), on_progress)
    except NoNodeError as error:
        raise InputError(str(error)) from None
    except RayError as error:
        raise InputError(
            f"{plan.model}: its process failed while it prepared the voice ({root_reason(error)}); "
            "give it more memory or choose a smaller model, then continue with --resume"
        ) from None
    pull(plan.stored, plan.run.prepared)
    pull(plan.stored, plan.run.base)
    return outcome


def _confirm_finalists(plan: Plan, executor: Executor, ledger: Ledger, view: View) -> None:
    """Probes the best trials and the base model on more lines, except those already confirmed before `--resume`.

    A finalist whose confirmation fails is reported and keeps its first verdict.
    """
    history = read_ledger(plan.run.ledger)
    chosen = finalists(history, plan.space.probe.finalists)
    if not chosen or history.base is None:
        return
    for outcome in (history.base, *chosen):
        if outcome.trial in history.confirmations:
            continue
        try:
            confirmation = executor.run_task(functools.partial(remote_tasks.confirm, plan, outcome), view.progress)
            pull(plan.stored, plan.run.trial(outcome.trial) if outcome.draw else plan.run.base)
        except Exception as error:
            view.say(f"{outcome.trial} was not confirmed, its first verdict stands: {root_reason(error)}")
        else:
            ledger.append(FinalistHeard(final=confirmation))
            TensorBoardWriter(plan.run).add_confirmation(confirmation)


def _export_best(plan: Plan, executor: Executor, on_progress: OnProgress) -> str | None:
    """Exports the best accepted adapter, if there is one. Returns the error if the export failed."""
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
