"""What a search has done besides trials, before them and after. What it needs is imported where it is done."""

from __future__ import annotations

from search.plan import Plan
from search.storing import pull_data, pull_foundation, pull_ledger
from spaces.command import OnProgress
from spaces.final import Final
from spaces.trial import Outcome
from trainable.storage import pull, push


def lay_foundation(plan: Plan, on_progress: OnProgress) -> Outcome:
    """See `trainable.foundation.lay_foundation`."""
    from trainable import foundation

    pull_foundation(plan.stored, plan.space.probe.lines)
    pull_data(plan.stored, plan.sources)
    outcome = foundation.lay_foundation(
        foundation.Foundation(
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


def hear_finalist(plan: Plan, outcome: Outcome, on_progress: OnProgress) -> Final:
    """See `trainable.finals.hear_finalist`."""
    from trainable import finals

    folder = plan.run.trial(outcome.trial) if outcome.draw else plan.run.base
    pull_foundation(plan.stored, plan.space.probe.lines)
    pull(plan.stored, folder)
    final = finals.hear_finalist(
        finals.Stage(
            family=plan.family,
            model=plan.model,
            prepared=plan.run.prepared,
            calibration=plan.run.calibration,
            language=plan.space.language,
            seed=plan.seed,
            probe=plan.space.probe,
        ),
        finals.Finalist(
            trial=outcome.trial,
            folder=folder,
            heard=outcome.verdict,
            draw=outcome.draw,
            checkpoint=folder / outcome.checkpoint if outcome.checkpoint else None,
        ),
        on_progress,
    )
    push(plan.stored, folder)
    return final


def export(plan: Plan, trial: str, on_progress: OnProgress) -> None:
    """See `results.export.export_trial`."""
    from results.export import export_trial

    pull_foundation(plan.stored, plan.space.probe.lines)
    pull(plan.stored, plan.run.trial(trial))
    pull(plan.stored, plan.run.best)
    pull_ledger(plan.stored)
    on_progress(f"exporting {trial}, loading it back and letting it speak", 0, 1)
    export_trial(plan.run, trial, plan.run.best, family=plan.family)
    push(plan.stored, plan.run.best)
