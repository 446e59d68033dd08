"""Writes the listening page of a run: `python -m results.report RUN`, also while the search runs."""

from pathlib import Path
from typing import Annotated

import typer

from results.report.page import write_report
from results.run.run_folder import RunFolder
from spaces.cli import exit_on_input_error, progress_bars


def report(run: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a search")]) -> None:
    """Write RUN/report/index.html, a page to listen to a search and to vote; it works from disk."""
    with exit_on_input_error():
        with progress_bars() as on_progress:
            page = write_report(RunFolder(run), on_progress)
        typer.echo(str(page))


if __name__ == "__main__":
    typer.run(report)
