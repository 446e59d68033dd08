"""The summary of a search: what was found, where to listen, and what to type next."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from results.analysis.advice import advice
from results.analysis.ranking import ComparisonResult, compare_with_base, is_accepted, last_verdict, nearest, ranked
from results.analysis.unjudged import describe_unjudged
from results.run.ledger import History
from search.console.view import describe_flags, describe_result, display_path, print_lines, resume_command
from search.planning.plan import Plan
from spaces.records.trial import Outcome

DONE, EXPORT_FAILED, NOTHING_ACCEPTED, INTERRUPTED = 0, 1, 3, 130
"""Exit codes."""

AGAINST_BASE = {
    ComparisonResult.BETTER: "better than the base model's own cloning",
    ComparisonResult.WORSE: "worse than the base model's own cloning, which needs no adapter",
    ComparisonResult.NO_DIFFERENCE: "no different from the base model's own cloning, as far as so few lines can tell",
}


@dataclass(frozen=True)
class SearchEnd:
    """How a search ended."""

    plan: Plan
    history: History
    reason: str
    """Why no more trials were started."""
    interrupted: bool
    export_error: str | None
    """Why the best adapter could not be exported; None if it was, or if no adapter was accepted."""

    @property
    def best(self) -> Outcome | None:
        return next(iter(ranked(self.history)), None)

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return INTERRUPTED
        if self.best is None:
            return NOTHING_ACCEPTED
        return EXPORT_FAILED if self.export_error else DONE


def print_summary(end: SearchEnd, picture: Path, page: Path | None, console: Console) -> None:
    """`picture` and `page` are the files of the search's plot and of its listening page."""
    lines = [*_trial_lines(end), "", *_result_lines(end), *_file_lines(end, picture, page), "", *_next_lines(end)]
    print_lines(lines, console)


def _trial_lines(end: SearchEnd) -> list[str]:
    """The ending and the reason of every trial but the best."""
    lines = []
    for trial, draw in end.history.drawn.items():
        outcome = end.history.outcomes.get(trial)
        if outcome is None:
            lines.append(f"{trial}  not finished, continues with --resume ({draw.describe()})")
        elif outcome is not end.best:
            verdict_reasons = outcome.verdict.reasons if outcome.verdict else ()
            reasons = (*_confirmation_reasons(outcome, end.history), *verdict_reasons, outcome.reason)
            lines.append(f"{trial}  {describe_result(outcome)}: {'; '.join(reasons)}")
    return lines


def _confirmation_reasons(outcome: Outcome, history: History) -> tuple[str, ...]:
    """Why an accepted trial was rejected on the lines of its confirmation."""
    confirmation = history.confirmations.get(outcome.trial)
    if confirmation is None or confirmation.accepted or not outcome.accepted:
        return ()
    return (f"rejected as a finalist: {'; '.join(confirmation.confirmed.reasons)}",)


def _result_lines(end: SearchEnd) -> list[str]:
    best = end.best
    outcomes = end.history.outcomes.values()
    accepted = sum(is_accepted(outcome, end.history) for outcome in outcomes)
    ended = f"Search ended: {end.reason}; {len(outcomes)} trials ended, {accepted} accepted."
    if best is None:
        base = end.history.base
        unknown = base.verdict.unknown if base and base.verdict else ()
        return [ended, "No adapter was accepted.", *_unjudged_lines(unknown), *_advice_lines(end)]
    verdict = last_verdict(best, end.history)
    lines = [ended, f"Best: {best.trial}, {_describe_score(best, end)}, {best.reason} ({best.draw.describe()})."]
    comparison = compare_with_base(best, end.history)
    if comparison:
        lines.append(f"It is {AGAINST_BASE[comparison.judgement]}: {comparison} per line.")
    lines += [f"{note[0].upper()}{note[1:]}." for note in verdict.notes]
    return [*lines, *_unjudged_lines(verdict.unknown)]


def _unjudged_lines(unknown: tuple[str, ...]) -> list[str]:
    return [f"Not judged: {describe_unjudged(unknown)}; listen for it yourself."] if unknown else []


def _describe_score(best: Outcome, end: SearchEnd) -> str:
    """The score, and how many lines failed."""
    verdict = last_verdict(best, end.history)
    strength = f" at {verdict.strength:g} of its strength" if verdict.strength != 1 else ""
    other = " other" if best.trial in end.history.confirmations else ""
    return (
        f"score {verdict.score:.3f}{strength}, {verdict.failed_lines} of {verdict.judged_lines}{other} lines failed "
        f"({verdict.failure_rate} of any lines)"
    )


def _advice_lines(end: SearchEnd) -> list[str]:
    lines = [f"  {change} ({count}×)" for change, count in advice(end.plan.run, end.history)]
    return ["What to change:", *lines] if lines else []


def _file_lines(end: SearchEnd, picture: Path, page: Path | None) -> list[str]:
    run, best, base = end.plan.run, end.best, end.history.base
    lines = []
    if end.export_error:
        lines.append(f"The adapter of {best.trial} was not exported: {end.export_error}")
        export = f"python -m results.export {display_path(run.path)} {display_path(run.best)}"
        lines.append(f"  the run is complete; export it again with: {export}")
    elif best is not None:
        lines += [f"Adapter: {display_path(run.best)}", f"Listen:  {display_path(run.best / 'sample.wav')}"]
        lines += [f"         {display_path(run.trial(best.trial) / last_verdict(best, end.history).lines[0].audio)}"]
    else:
        lines += _nearest_lines(end)
    if base is not None and base.verdict is not None:
        lines.append(f"Base:    {display_path(run.base / last_verdict(base, end.history).lines[0].audio)}")
    lines += [f"Page:    {display_path(page)}"] if page else []
    return [
        *lines,
        f"Picture: {display_path(picture)}",
        f"Curves:  tensorboard --logdir {display_path(run.tensorboard)}",
    ]


def _nearest_lines(end: SearchEnd) -> list[str]:
    """The trial that came closest to being accepted."""
    trial = nearest(end.history)
    if trial is None:
        return []
    lines = [f"Nearest: {trial.trial}, {describe_flags(trial) or trial.reason}"]
    if trial.verdict is not None:
        lines.append(f"Listen:  {display_path(end.plan.run.trial(trial.trial) / trial.verdict.lines[0].audio)}")
    return lines


def _next_lines(end: SearchEnd) -> list[str]:
    run = end.plan.run
    resume = [f"Resume:  {resume_command(run.path)}"]
    if end.interrupted:
        return resume
    # When no node came or the disk is full, some trials have neither ended nor failed.
    lines = resume if end.history.running else []
    if end.best is None:
        return [*lines, f"Table:   python -m results.compare {display_path(run.path)}"]
    if end.export_error:
        return lines
    lines = [*lines, f'Speak:   python -m results.speak {display_path(run.best)} "one two three" out.wav']
    if end.plan.is_demo:
        lines.append("Next, a voice of your own: python search/run.py --data my_voice/")
    return lines
