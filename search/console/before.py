"""What is printed before a search starts: the data, the model, the space, the budget and the warnings."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from results.run.ledger import History, read_ledger
from search.console.view import display_path, print_lines
from search.planning.disk import format_bytes
from search.planning.plan import LOCAL, CheckedData, Plan
from spaces.probe_settings import AUTO, ProbeSettings
from spaces.space import Budget
from trainable.dataset.finding import Finding, Severity
from trainable.dataset.source import Source
from trainable.speech.asr.recogniser import NONE, POCKETSPHINX
from trainable.speech.recogniser_choice.choice import recogniser_bytes
from trainable.speech.recogniser_choice.languages import find_language

MAX_WARNINGS = 6
CHECK = "python -m trainable.dataset check"


def print_introduction(plan: Plan, checked: CheckedData, why_isolated: str | None, console: Console) -> None:
    """`why_isolated` says why trials cannot share one base, see `search.checking.checks.choose_mode`."""
    dataset, split = checked.dataset, checked.split
    parts = f"{len(split.training)} to train on, {len(split.held_out)} held out"
    voices = f", {len(dataset.speakers)} speakers" if len(dataset.speakers) > 1 else ""
    lines = [
        f"Voice:  {' + '.join(_display_source(source) for source in plan.sources)}",
        f"        {len(dataset.clips)} clips ({parts}), {dataset.seconds / 60:.1f} min{voices}",
        f"Model:  {display_path(Path(plan.model))}",
        f"Space:  {plan.space.name}: {plan.space.about}",
        f"Listens: {describe_recogniser(plan.space.probe)}",
        f"Run:    {display_path(plan.run.path)}, until {describe_budget(plan.budget)}",
    ]
    if plan.address != LOCAL:
        lines.append(f"Ray:    joins the cluster at {plan.address}; --address local stays on this machine")
    if plan.resume:
        lines.append(f"So far: {_describe_progress(read_ledger(plan.run.ledger))}")
    if why_isolated:
        lines.append(
            f"Trials cannot share one base, because {why_isolated}: each runs in its own process, as with --isolate."
        )
    if plan.is_demo:
        lines.append("The demo voice is a miniature: it shows how a search works, not how a voice will sound.")
    else:
        lines += warning_lines(checked.findings)
    print_lines(lines, console)


def describe_recogniser(probe: ProbeSettings) -> str:
    """What hears the words, its size, the language and the lines."""
    if probe.recogniser == NONE:
        return f'nothing: whether speech is garbled is not judged (recogniser = "{NONE}"); lines: {_lines(probe)}'
    size = recogniser_bytes(probe.recogniser)
    parts = [display_path(Path(probe.recogniser)), *([format_bytes(size)] if size else []), _language(probe)]
    return f"{', '.join(parts)}; lines: {_lines(probe)}"


def _lines(probe: ProbeSettings) -> str:
    return display_path(Path(probe.lines)) if Path(probe.lines).is_absolute() else probe.lines


def _language(probe: ProbeSettings) -> str:
    if probe.language == AUTO:
        return "English" if probe.recogniser == POCKETSPHINX else "in the language that it detects"
    return str(find_language(probe.language) or probe.language)


def describe_budget(budget: Budget) -> str:
    """When a search ends, its earlier processes included: `16 trials or 2 hours`."""
    limits = [f"{budget.trials} trials"]
    limits += [f"{budget.accept} accepted"] if budget.accept else []
    limits += [f"{budget.hours:g} hours"] if budget.hours else []
    limits += [f"{budget.gpu_hours:g} GPU hours"] if budget.gpu_hours else []
    limits += [f"{budget.patience} trials without a better score"] if budget.patience else []
    return " or ".join(limits)


def warning_lines(findings: Iterable[Finding]) -> list[str]:
    """One line for each of the first warnings, and a last one that says how to see the others."""
    warnings = [finding for finding in findings if finding.severity is Severity.WARNING]
    lines = [f"Note:   {finding}" for finding in warnings[:MAX_WARNINGS]]
    more = len(warnings) - len(lines)
    return [*lines, f"        and {more} more: {CHECK} lists them all"] if more else lines


def _describe_progress(history: History) -> str:
    gpu_seconds = sum(outcome.gpu_seconds for outcome in history.outcomes.values())
    return (
        f"{len(history.outcomes)} of {len(history.drawn)} trials ended, {history.seconds / 3600:.2f} hours, "
        f"{gpu_seconds / 3600:.2f} GPU hours"
    )


def _display_source(source: Source) -> str:
    return str(source) if source.hub or source.path is None else display_path(source.path)
