"""The last lines of a search: what was found, where to listen, and what to type next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from results.analysis.advice import advice
from results.analysis.ranking import ComparisonResult, compare_with_base, is_accepted, last_verdict, nearest, ranked
from results.run.ledger import History
from search.console.view import describe_flags, describe_result, display_path
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
    problem: str | None
    """What kept the best adapter from being exported."""

    @property
    def best(self) -> Outcome | None:
        return next(iter(ranked(self.history)), None)

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return INTERRUPTED
        if self.best is None:
            return NOTHING_ACCEPTED
        return EXPORT_FAILED if self.problem else DONE


def print_summary(finish: SearchEnd, picture: Path, page: Path | None, console: Console) -> None:
    """Prints the summary."""
    lines = [*_trials(finish), "", *_found(finish), *_where(finish, picture, page), "", *_next(finish)]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _trials(finish: SearchEnd) -> list[str]:
    """Every trial but the best: its ending and its reason."""
    lines = []
    for trial, draw in finish.history.drawn.items():
        outcome = finish.history.outcomes.get(trial)
        if outcome is None:
            lines.append(f"{trial}  not finished; goes on with --resume ({draw.describe()})")
        elif outcome is not finish.best:
            told = (*_turned_down(outcome, finish.history), *(outcome.verdict.reasons if outcome.verdict else ()))
            lines.append(f"{trial}  {describe_result(outcome)}: {'; '.join((*told, outcome.reason))}")
    return lines


def _turned_down(outcome: Outcome, history: History) -> tuple[str, ...]:
    """Why an accepted trial did not stand when it was heard for longer."""
    final = history.confirmations.get(outcome.trial)
    if final is None or final.accepted or not outcome.accepted:
        return ()
    return (f"turned down as a finalist: {'; '.join(final.confirmed.reasons)}",)


def _found(finish: SearchEnd) -> list[str]:
    best = finish.best
    outcomes = finish.history.outcomes.values()
    accepted = sum(is_accepted(outcome, finish.history) for outcome in outcomes)
    ended = f"Search ended: {finish.reason}; {len(outcomes)} trials ended, {accepted} accepted."
    if best is None:
        return [ended, "No adapter was accepted.", *_advice(finish)]
    heard = last_verdict(best, finish.history)
    lines = [ended, f"Best: {best.trial}, {_judged(best, finish)}, {best.reason} ({best.draw.describe()})."]
    compared = compare_with_base(best, finish.history)
    if compared:
        lines.append(f"It is {AGAINST_BASE[compared.judgement]}: {compared} per line.")
    lines += [f"{note[0].upper()}{note[1:]}." for note in heard.notes]
    if heard.unknown:
        unheard = ", ".join(flag.value for flag in heard.unknown)
        lines.append(f"Nothing here could judge {unheard}: listen for it yourself.")
    return lines


def _judged(best: Outcome, finish: SearchEnd) -> str:
    """Its score, and how sure it is of its words."""
    heard = last_verdict(best, finish.history)
    dose = f" at {heard.strength:g} of its strength" if heard.strength != 1 else ""
    where = " other" if best.trial in finish.history.confirmations else ""
    return (
        f"score {heard.score:.3f}{dose}, {heard.failed_lines} of {heard.judged_lines}{where} lines failed "
        f"({heard.failure_rate} of any lines)"
    )


def _advice(finish: SearchEnd) -> list[str]:
    lines = [f"  {told} ({count}×)" for told, count in advice(finish.plan.run, finish.history)]
    return ["What to change:", *lines] if lines else []


def _where(finish: SearchEnd, picture: Path, page: Path | None) -> list[str]:
    run, best, base = finish.plan.run, finish.best, finish.history.base
    lines = []
    if finish.problem:
        lines.append(f"The adapter of {best.trial} was not exported: {finish.problem}")
        lines.append(
            f"  nothing is lost; try again: python -m results.export {display_path(run.path)} {display_path(run.best)}"
        )
    elif best is not None:
        lines += [f"Adapter: {display_path(run.best)}", f"Listen:  {display_path(run.best / 'sample.wav')}"]
        lines += [f"         {display_path(run.trial(best.trial) / last_verdict(best, finish.history).lines[0].audio)}"]
    else:
        lines += _nearest(finish)
    if base is not None and base.verdict is not None:
        lines.append(f"Base:    {display_path(run.base / last_verdict(base, finish.history).lines[0].audio)}")
    page_line = [f"Page:    {display_path(page)}"] if page else []
    curves = f"Curves:  tensorboard --logdir {display_path(run.tensorboard)}"
    return [*lines, *page_line, f"Picture: {display_path(picture)}", curves]


def _nearest(finish: SearchEnd) -> list[str]:
    near = nearest(finish.history)
    if near is None:
        return []
    lines = [f"Nearest: {near.trial}, {describe_flags(near) or near.reason}"]
    if near.verdict is not None:
        lines.append(f"Listen:  {display_path(finish.plan.run.trial(near.trial) / near.verdict.lines[0].audio)}")
    return lines


def _next(finish: SearchEnd) -> list[str]:
    run = finish.plan.run
    go_on = [f"Go on:   python search/run.py --out {display_path(run.path)} --resume"]
    if finish.interrupted:
        return go_on
    # Where no node came or the disk is full, trials are left that have neither ended nor failed.
    go_on = go_on if finish.history.running else []
    if finish.best is None:
        return [*go_on, f"Table:   python -m results.compare {display_path(run.path)}"]
    speak = f'Speak:   python -m results.speak {display_path(run.best)} "one two three" out.wav'
    lines = go_on if finish.problem else [*go_on, speak]
    if finish.plan.is_demo:
        lines.append("Next, a voice of your own: python search/run.py --data my_voice/")
    return lines
