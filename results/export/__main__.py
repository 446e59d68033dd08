"""Exports an adapter of a run: `python -m results.export RUN DIR [--trial ID]`, also while the search runs.

The export is loaded in a fresh process and made to speak; it is put in place only if it speaks as the trained model
does. Exit codes: 1 it does not, 2 wrong input, 3 nothing accepted.
"""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from results.analysis.ranking import is_accepted, nearest, ranked
from results.export.adapter_manifest import UnfaithfulExport
from results.export.export import UNKNOWN_LICENCE, ExportOptions, export_trial
from results.export.hub_upload import check_base, check_repo, plan_upload, push
from results.run.ledger import History, read_ledger
from results.run.run_folder import RunFolder, require_known_family
from spaces.cli import exit_on_input_error, progress_bars
from spaces.errors import InputError
from spaces.export_layout import ExportLayout
from spaces.families import FAMILIES, family_entry
from spaces.records.trial import Outcome

UNFAITHFUL, NOTHING_ACCEPTED = 1, 3


LAYOUTS = ", ".join(dict.fromkeys(layout for entry in FAMILIES.values() for layout in entry.layouts))


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a search")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder to write the adapter to")],
    trial: Annotated[
        str | None, typer.Option(help="export this trial, whatever its verdict; default: the best accepted")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="export the nearest trial where none was accepted; its card says so")
    ] = False,
    layout: Annotated[
        str | None, typer.Option(help=f"file layout, by the program that loads it: {LAYOUTS}; default: the first")
    ] = None,
    merged: Annotated[bool, typer.Option("--merged", help="export a merged checkpoint instead of an adapter")] = False,
    base: Annotated[
        str | None, typer.Option(metavar="NAME/MODEL", help="hub id of the base model, where the run names a folder")
    ] = None,
    licence: Annotated[str, typer.Option(help="licence of the voice, such as cc-by-4.0")] = UNKNOWN_LICENCE,
    to: Annotated[str | None, typer.Option("--push", metavar="NAME/MODEL", help="upload the export to the hub")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list what --push would upload")] = False,
) -> None:
    """Export the best accepted adapter of a search, checked by loading it back."""
    with exit_on_input_error():
        history = read_ledger(RunFolder(run).ledger)
        options = ExportOptions(_layout(RunFolder(run), history, layout, merged), base, licence.lower())
        _check_push(to, dry_run, base or (history.search.model if history.search else None))
        trial = trial or _choose(run, history, force)
        try:
            with progress_bars() as on_progress:
                export_trial(RunFolder(run), trial, folder, options, on_progress)
        except UnfaithfulExport as error:
            typer.secho(str(error), err=True, fg="red")
            raise typer.Exit(UNFAITHFUL) from None
        _print_result(history.outcomes[trial], history, folder, options)
        if to is not None:
            _push(folder.resolve(), to, dry_run)


def _layout(run: RunFolder, history: History, name: str | None, merged: bool) -> ExportLayout | None:
    """The layout with that name of the run's family, or its first of the kind; None for the family's default."""
    if history.search is None or (name is None and not merged):
        return None
    family = require_known_family(history.search.family, f"{run.ledger}")
    layouts = list(family_entry(family).layouts)
    if name is not None and name not in layouts:
        raise InputError(f"--layout {name}: expected one of {', '.join(layouts)}")
    layout = next((each for each in layouts if (each == name if name else each.is_whole)), None)
    if merged and (layout is None or not layout.is_whole):
        raise InputError(
            f"--merged writes a whole checkpoint, but the {name} layout holds an adapter; leave one out"
            if name
            else f"--merged: models of {history.search.family} have no layout that is a whole checkpoint"
        )
    return layout


def _check_push(repo: str | None, dry_run: bool, base: str | None) -> None:
    """Raises InputError for what would fail after the export."""
    if repo is not None:
        check_repo(repo)
        check_base(base)
    elif dry_run:
        raise InputError("--dry-run lists what --push would upload; give --push NAME/MODEL too")


def _choose(run: Path, history: History, force: bool) -> str:
    """The best accepted trial; with `force` the nearest one that can be exported. Exits with code 3 without one."""
    accepted = ranked(history)
    if accepted:
        return accepted[0].trial
    if force:
        kept = {name: each for name, each in history.outcomes.items() if each.checkpoint}
        near = nearest(dataclasses.replace(history, outcomes=kept))
        if near is not None:
            return near.trial
    typer.secho(_nothing_accepted(run, history, force), err=True, fg="red")
    raise typer.Exit(NOTHING_ACCEPTED)


def _nothing_accepted(run: Path, history: History, force: bool) -> str:
    near = nearest(history)
    if near is None:
        return f"{run}: no trial has ended yet, so there is nothing to export"
    message = f"{run}: no trial was accepted, so nothing was exported. The nearest was {near.trial}, "
    message += f"rejected: {'; '.join(near.verdict.reasons)}" if near.verdict else f"{near.ending}: {near.reason}"
    if force:
        return f"{message}. No trial has kept a checkpoint, so --force has nothing to export"
    return f"{message}. To export it anyway, add --force" if near.checkpoint else message


def _print_result(outcome: Outcome, history: History, folder: Path, options: ExportOptions) -> None:
    judged = "accepted" if is_accepted(outcome, history) else "rejected by the probe"
    judged = "not probed" if outcome.verdict is None else judged
    merged = "its logits match the adapter's and it was probed again"
    check = merged if options.layout and options.layout.is_whole else "it speaks as trained"
    typer.echo(f"trial {outcome.trial}, {judged}, exported to {folder}; {check}: listen to {folder / 'sample.wav'}")
    typer.echo(f'next: python -m results.speak {folder} "something to say" out.wav')


def _push(folder: Path, repo: str, dry_run: bool) -> None:
    upload = plan_upload(folder, repo)
    if dry_run:
        typer.echo(f"would upload to {repo}, {len(upload.files)} files, {upload.bytes:,} bytes:")
        for name, size in upload.files:
            typer.echo(f"  {size:>15,}  {name}")
        return
    typer.echo(f"uploaded to {push(upload)}; a new repository stays private until you make it public")


if __name__ == "__main__":
    typer.run(export)
