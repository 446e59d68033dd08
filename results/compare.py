"""Prints the table of trials: `python -m results.compare RUN [RUN …] [--json]`, also while the search runs.

Row zero is the base model's own clone; the accepted adapters follow, best first, then the other trials. Exit code 2
when a RUN holds no ledger.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic_core import to_json
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from results.analysis.advice import advice
from results.analysis.costs import costs
from results.analysis.influence import influences
from results.analysis.ranking import ComparisonResult
from results.analysis.table import TrialRow, trial_rows
from results.analysis.unjudged import describe_unjudged
from results.run.ledger import History, read_ledger
from results.run.run_folder import RunFolder
from spaces.cli import exit_on_input_error
from spaces.families import entry_of

MIN_WIDTH = 104
"""Columns that the table needs; a narrower terminal wraps its lines."""
PIPE_WIDTH = 160
"""Columns where the output goes to a file or a pipe."""
VERDICT_STYLE = {True: "green", False: "red", None: "dim"}
JUDGEMENT_STYLE = {ComparisonResult.BETTER: "green", ComparisonResult.WORSE: "red", ComparisonResult.NO_DIFFERENCE: ""}


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="folders of searches")],
    as_json: Annotated[bool, typer.Option("--json", help="print a JSON list with one object per RUN")] = False,
) -> None:
    """Compare the trials of one or more searches with each other and with the base model."""
    with exit_on_input_error():
        folders = [RunFolder(path) for path in runs]
        histories = [read_ledger(folder.ledger) for folder in folders]
        pairs = list(zip(folders, histories, strict=True))
        if as_json:
            content = [run_as_json(folder, history) for folder, history in pairs]
            typer.echo(to_json(content, indent=1, inf_nan_mode="null"))
            return
        console = Console()
        console.width = max(console.width, MIN_WIDTH) if console.is_terminal else PIPE_WIDTH
        for folder, history in pairs:
            print_run(folder, history, console)


def run_as_json(run: RunFolder, history: History) -> dict[str, Any]:
    """One run as JSON; the caller writes numbers that are not finite as null."""
    spent = costs(history)
    return {
        "run": str(run.path),
        "space": history.search.space.get("name") if history.search else None,
        "model": history.search.model if history.search else None,
        "ended": history.ended,
        "problems": list(history.problems),
        "rows": [row.model_dump() for row in trial_rows(run, history)],
        "influences": [influence._asdict() for influence in influences(history.outcomes.values())],
        "gpu_seconds": {**spent._asdict(), "per_accepted": spent.per_accepted},
        "advice": [sentence for sentence, _ in advice(run, history)],
    }


def print_run(run: RunFolder, history: History, console: Console) -> None:
    """Prints the table of a run, then why each trial was rejected or ended, and the progress of running trials."""
    rows = trial_rows(run, history)
    console.print(_table(run, history, rows))

    def print_about(row: TrialRow, text: str) -> None:
        console.print(Text.assemble((f"  {row.trial} ", "bold"), text))

    for row in rows:
        for sentence in row.reasons or (() if row.accepted or row.state == "base" else (row.reason,)):
            print_about(row, f"{_verdict_word(row)}: {sentence}")
    if history.base and history.base.base_losses:
        losses = history.base.base_losses
        text = Text.assemble(("  base ", "bold"), f"losses on {losses.clips} clips before training: {losses}")
        console.print(text, soft_wrap=True)
    for row in rows:
        if row.votes:
            print_about(row, f"votes of listeners: {row.votes}")
        for note in row.notes:
            print_about(row, note)
    judged = [row.trial for row in rows if row.accepted is not None]
    for flag in sorted({flag for row in rows for flag in row.unknown}):
        where = [row.trial for row in rows if flag in row.unknown]
        trials = "" if where == judged else f" in {', '.join(where)}"
        console.print(f"  not judged{trials}: {describe_unjudged([flag])}; listen for it yourself", style="yellow")
    for row in rows:
        grades = ", ".join(f"{name} {value:.3g} ({grade})" for name, (value, grade) in row.grades.items())
        if grades:
            print_about(row, f"graded: {grades}")
    _print_lessons(run, history, console)
    for problem in history.problems:
        console.print(f"  {problem}", style="yellow", markup=False)
    if not any(row.place for row in rows):
        console.print("  no adapter accepted" + ("" if history.ended else " so far"), style="bold")


def _print_lessons(run: RunFolder, history: History, console: Console) -> None:
    """Prints the influence of hyperparameters, the GPU time and the advice."""
    found = influences(history.outcomes.values())
    for influence in [each for each in found if each.is_significant] or found[:1]:
        console.print(f"  influence: {influence}", highlight=False)
    if history.outcomes:
        console.print(f"  {costs(history)}", highlight=False)
    for sentence, count in advice(run, history):
        console.print(f"  {sentence} ({count}×)", highlight=False)


def _table(run: RunFolder, history: History, rows: list[TrialRow]) -> Table:
    search = history.search
    title = f"{run.path} · {search.space.get('name')} space · {search.model}" if search else str(run.path)
    state = f"ended: {history.ended}" if history.ended else "not ended"
    table = Table(title=Text(title, style="bold"), caption=Text(state), title_justify="left", caption_justify="left")
    table.box, table.padding, table.collapse_padding, table.pad_edge = SIMPLE_HEAD, (0, 1), True, False
    # In a narrow terminal only words wrap.
    table.add_column("#", no_wrap=True)
    table.add_column("trial", no_wrap=True)
    columns = _columns(rows)
    for heading in (*columns, "epochs"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("ending", no_wrap=True)
    table.add_column("loss of objective", justify="right", overflow="fold", min_width=7)
    table.add_column("held out", justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold", min_width=10)
    table.add_column("failed", justify="right", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    finals = any(row.confirmed is not None for row in rows)
    if finals:
        table.add_column("confirmed", justify="right", no_wrap=True)
    table.add_column("vs base", justify="right", overflow="fold", min_width=9)
    table.add_column("GPU s", justify="right", no_wrap=True)
    objectives = tuple(dict.fromkeys(row.objective for row in rows if row.objective))
    for row in rows:
        table.add_row(*_cells(row, columns.values(), finals, objectives))
    return table


def _columns(rows: Iterable[TrialRow]) -> Mapping[str, str]:
    """The hyperparameters to show: field of the draw by heading."""
    return next((entry_of(row.draw).columns for row in rows if row.draw), {})


def _cells(row: TrialRow, columns: Iterable[str], finals: bool, objectives: tuple[str, ...]) -> tuple[str | Text, ...]:
    """`objectives` are those of all trials: the base model has a loss of each."""
    draw = row.draw
    own = (row.objective,) if row.objective else objectives
    hyperparameters = [_short(getattr(draw, name)) if draw else "" for name in columns]
    hyperparameters.append(f"{row.epochs or 0:.1f}/{draw.epochs}" if draw else "")
    flags = ", ".join(f"{flag} ×{count}" for flag, count in row.flags.items() if count)
    versus = Text("")
    if row.vs_base:
        judgement = row.vs_base.judgement
        versus = Text(f"{row.vs_base.difference:+.3f} {judgement}", style=JUDGEMENT_STYLE[judgement])
    return (
        "" if row.place is None else str(row.place),
        Text(row.trial),
        *hyperparameters,
        row.state,
        " ".join(f"{row.losses[name]:.3f} {name}" for name in own) if row.losses else row.objective or "",
        " ".join(f"{row.validation[name]:.3f}" for name in own) if row.validation else "",
        Text(_verdict_word(row) + (f": {flags}" if flags else ""), style=VERDICT_STYLE[row.accepted]),
        f"{row.failed_lines}/{row.judged_lines}" if row.failure_rate else "",
        "" if row.score is None else f"{row.score:.3f}",
        *([_confirmed(row)] if finals else []),
        versus,
        f"{row.gpu_seconds:.0f}" if row.gpu_seconds else "",
    )


def _short(value: Any) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def _confirmed(row: TrialRow) -> str:
    if row.confirmed is None:
        return ""
    return f"{row.confirmed:.3f}" + (f" at {row.strength:g}×" if row.strength != 1 else "")


def _verdict_word(row: TrialRow) -> str:
    if row.accepted is not None:
        return "accepted" if row.accepted else "rejected"
    return "" if row.state == "base" else row.state if row.state in ("running", "unfinished") else "not probed"


if __name__ == "__main__":
    typer.run(compare)
