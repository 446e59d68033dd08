"""The command `python -m trainable.dataset check DATA`: checks a dataset before a GPU is used.

Exit codes: 0 no errors, though there may be warnings; 1 errors in the data; 2 wrong input.
"""

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from spaces.cli import WRONG_INPUT, exit_on_input_error, progress_bars
from spaces.data_settings import DataSettings
from spaces.families import FAMILIES
from trainable.dataset.checks.all import by_severity, check_dataset
from trainable.dataset.checks.html import write_page
from trainable.dataset.checks.report import DatasetReport, render, summarise
from trainable.dataset.clip import VoiceDataset
from trainable.dataset.finding import Finding, errors
from trainable.dataset.loading.load import open_dataset
from trainable.dataset.source import Source
from trainable.files.cache import cache_folder

ERRORS_FOUND = 1
"""Exit code where the data must be corrected before a search."""
FAMILY = "qwen3_tts"
NOT_OPENED = ("source", "format")
"""Checks of findings for a source that cannot be opened: no such folder, or an unknown format."""


def check(
    data: Annotated[
        list[str],
        typer.Argument(metavar="DATA", help="a folder, a .jsonl, a .csv, or hf:ID[:config][:split]; as --data"),
    ],
    model: Annotated[
        str | None,
        typer.Option(help="also encode the clips with this model, a folder or hub id, and check codes and voice"),
    ] = None,
    auto_ref: Annotated[
        bool, typer.Option("--auto-ref", help="use the best clip as the reference where there is none")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print everything as JSON, and nothing else")] = False,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="also write the report as one HTML file, with charts")
    ] = None,
) -> None:
    """Say what is wrong with a dataset, and what to do about it."""
    with exit_on_input_error():
        sources = [Source.parse(each) for each in data]
        with progress_bars() as on_progress:
            dataset, findings = open_dataset(sources, auto_ref, cache_folder(), on_progress)
        if dataset is not None:
            findings += check_dataset(dataset)
        if dataset is not None and model is not None:
            if errors(findings):
                typer.echo("--model: correct the errors first; nothing was encoded", err=True)
            else:
                findings += _prepare(dataset, model)
        report = DatasetReport(
            dataset=summarise(dataset) if dataset is not None else None, findings=tuple(by_severity(findings))
        )
        if page is not None:
            write_page(page, report, dataset)
    _print(report, as_json)
    if any(finding.check in NOT_OPENED for finding in findings):
        raise typer.Exit(WRONG_INPUT)
    if errors(findings):
        raise typer.Exit(ERRORS_FOUND)


def _prepare(dataset: VoiceDataset, model: str) -> list[Finding]:
    """Encodes the dataset and returns the findings. The codes stay in the cache for a search; the prepared folder is
    deleted.

    Raises InputError for a model of another family.
    """
    from trainable.dataset.encoding_plan import plan_encoding
    from trainable.family.protocol import load_family

    plan = plan_encoding(dataset, DataSettings(), seed=1)
    # Whatever a library prints must not mix with the report.
    redirected = contextlib.redirect_stdout(sys.stderr)
    with tempfile.TemporaryDirectory() as folder, progress_bars() as on_progress, redirected:
        return load_family(FAMILIES[FAMILY].module).prepare(
            plan, model, Path(folder), cache_folder(), lambda done, total: on_progress("encoding", done, total)
        )


def _print(report: DatasetReport, as_json: bool) -> None:
    if as_json:
        typer.echo(report.model_dump_json(indent=1))
        return
    from rich.console import Console

    render(report, Console(highlight=False))
