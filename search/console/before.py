"""What is said before a search starts: what it is about to do, and what its data might make of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from results.run.ledger import History, read_ledger
from search.console.view import display_path
from search.planning.plan import LOCAL, CheckedData, Plan
from spaces.space import Budget
from trainable.dataset.finding import Finding, Severity
from trainable.dataset.source import Source

MOST_WARNINGS = 6
CHECK = "python -m trainable.dataset check"


def print_introduction(plan: Plan, checked: CheckedData, objection: str | None, console: Console) -> None:
    """`objection` is what keeps trials from sharing one base, if anything does."""
    dataset = checked.dataset
    split = checked.split
    parts = f"{len(split.training)} to train on, {len(split.held_out)} held out"
    voices = f", {len(dataset.speakers)} speakers" if len(dataset.speakers) > 1 else ""
    lines = [
        f"Voice:  {' + '.join(_place(source) for source in plan.sources)}",
        f"        {len(dataset.clips)} clips ({parts}), {dataset.seconds / 60:.1f} min{voices}",
        f"Model:  {display_path(Path(plan.model))}",
        f"Space:  {plan.space.name}: {plan.space.about}",
        f"Run:    {display_path(plan.run.path)}, until {describe_budget(plan.budget)}",
    ]
    if plan.address != LOCAL:
        lines.append(f"Ray:    joins the cluster at {plan.address}; --address local keeps to this machine")
    if plan.resume:
        lines.append(f"So far: {_so_far(read_ledger(plan.run.ledger))}")
    if objection:
        lines.append(
            f"Trials cannot share one base here, as {objection}: each gets a process of its own, as --isolate does."
        )
    if plan.is_demo:
        lines.append("The demo voice is a miniature: it shows how a search works, not how a voice will sound.")
    else:
        lines += warning_lines(checked.findings)
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def describe_budget(budget: Budget) -> str:
    """When a search ends, its earlier processes counted: `16 trials or 2 hours`."""
    until = [f"{budget.trials} trials"]
    until += [f"{budget.accept} accepted"] if budget.accept else []
    until += [f"{budget.hours:g} hours"] if budget.hours else []
    until += [f"{budget.gpu_hours:g} GPU hours"] if budget.gpu_hours else []
    until += [f"{budget.patience} trials without a better score"] if budget.patience else []
    return " or ".join(until)


def _so_far(history: History) -> str:
    gpu_seconds = sum(outcome.gpu_seconds for outcome in history.outcomes.values())
    return (
        f"{len(history.outcomes)} of {len(history.drawn)} trials ended, {history.seconds / 3600:.2f} hours, "
        f"{gpu_seconds / 3600:.2f} GPU hours"
    )


def _place(source: Source) -> str:
    return str(source) if source.hub or source.path is None else display_path(source.path)


def warning_lines(findings: Iterable[Finding]) -> list[str]:
    """A line for each of the first few warnings, and where to read the others."""
    warnings = [finding for finding in findings if finding.severity is Severity.WARNING]
    lines = [f"Note:   {finding}" for finding in warnings[:MOST_WARNINGS]]
    more = len(warnings) - len(lines)
    return [*lines, f"        and {more} more: {CHECK} tells them all"] if more else lines
