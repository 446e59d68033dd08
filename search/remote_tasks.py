"""What a search runs on a worker besides trials: the baseline, confirmations, the export.

Each function pulls its inputs from storage, does the work, and pushes what it wrote. torch is imported inside the
functions, so that the driver does not load it.
"""

from search.planning.plan import Plan
from search.run_state.sync import pull_data, pull_ledger, pull_prepared
from spaces.cli import OnProgress
from spaces.records.confirmation import Confirmation
from spaces.records.trial import Outcome
from trainable.files.mirror import pull, push


def measure_baseline(plan: Plan, on_progress: OnProgress) -> Outcome:
    """See `trainable.stages.baseline.measure_baseline`."""
    from trainable.stages import baseline

    pull_prepared(plan.stored, plan.space.probe.lines)
    pull_data(plan.stored, plan.sources)
    outcome = baseline.measure_baseline(
        baseline.BaselineSettings(
            sources=plan.sources,
            auto_reference=plan.auto_reference,
            cache=plan.cache,
            data=plan.space.data,
            family=plan.family,
            model=plan.model,
            language=plan.space.language,
            seed=plan.seed,
            probe=plan.space.probe,
            prepared=plan.run.prepared,
            base=plan.run.base,
        ),
        on_progress,
    )
    push(plan.stored, plan.run.prepared)
    push(plan.stored, plan.run.base)
    return outcome


def confirm(plan: Plan, outcome: Outcome, on_progress: OnProgress) -> Confirmation:
    """See `trainable.stages.confirm.confirm`."""
    from trainable.stages import confirm as stage

    folder = plan.run.trial(outcome.trial) if outcome.draw else plan.run.base
    pull_prepared(plan.stored, plan.space.probe.lines)
    pull(plan.stored, folder)
    confirmation = stage.confirm(
        stage.ConfirmationSettings(
            family=plan.family,
            model=plan.model,
            prepared=plan.run.prepared,
            calibration=plan.run.calibration,
            language=plan.space.language,
            seed=plan.seed,
            probe=plan.space.probe,
        ),
        stage.Finalist(
            trial=outcome.trial,
            folder=folder,
            verdict=outcome.verdict,
            draw=outcome.draw,
            checkpoint=folder / outcome.checkpoint if outcome.checkpoint else None,
        ),
        on_progress,
    )
    push(plan.stored, folder)
    return confirmation


def export(plan: Plan, trial: str, on_progress: OnProgress) -> None:
    """See `results.export.export.export_trial`."""
    from results.export.export import export_trial

    pull_prepared(plan.stored, plan.space.probe.lines)
    pull(plan.stored, plan.run.trial(trial))
    pull(plan.stored, plan.run.best)
    pull_ledger(plan.stored)
    on_progress(f"exporting {trial}, loading it back and letting it speak", 0, 1)
    export_trial(plan.run, trial, plan.run.best, family=plan.family)
    push(plan.stored, plan.run.best)
