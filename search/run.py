"""Searches for the LoRA adapter that keeps a voice, says the words and stops when the sentence ends.

    python search/run.py                       the demo voice, start to finish, on a CPU, offline
    python search/run.py --data my_voice/      a voice of your own
    python search/run.py --out RUN --resume    continues a search that was interrupted
    python search/run.py --cluster cluster.yaml --data my_voice/    on a cluster, followed from here
    python search/run.py --dry-run             says what the search would take, and starts nothing

Exit codes: 0 done, 1 the best adapter could not be exported, 2 wrong input, 3 nothing accepted, 130 interrupted.
"""

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from search.checking.checks import check_inputs, check_plan, choose_mode
from search.checking.probe_choice import Confirm
from search.cluster.recorded_address import recorded_address
from search.console.after import INTERRUPTED, print_summary
from search.console.before import print_introduction
from search.console.dry_run import print_forecast
from search.console.view import print_lines, resume_command
from search.planning.arguments import Arguments
from search.planning.disk import is_disk_full
from search.planning.execution_mode import WAIT_MINUTES, ExecutionMode
from search.planning.local_gpus import local_gpus
from search.planning.plan import Plan, make_plan
from search.run_state.restore import restore_run
from search.run_state.sync import push_bookkeeping
from spaces.cli import exit_on_input_error, progress_bars
from spaces.errors import InputError


def run(
    context: typer.Context,
    data: Annotated[
        list[str] | None, typer.Option(help="folder of clips, JSONL file, or hf:ID of a Hub dataset; repeatable")
    ] = None,
    max_audio_hours: Annotated[float | None, typer.Option(min=0.001, help="most audio to use of each --data")] = None,
    model: Annotated[
        str | None, typer.Option(help="base model: Hub id or folder; default: the model of the space")
    ] = None,
    space: Annotated[str | None, typer.Option(help="name of a space, or a TOML file")] = None,
    out: Annotated[Path | None, typer.Option(help="new folder for the run; default: runs/NAME-DATE")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="continue the search in --out")] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="for draws, weights, clip order and speech")] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="stop after this many trials; default: the budget of the space")
    ] = None,
    accept: Annotated[int | None, typer.Option(min=1, help="stop after this many accepted adapters")] = None,
    hours: Annotated[
        float | None,
        typer.Option(min=0.001, help="start no trial after this many hours, including the time before --resume"),
    ] = None,
    gpu_hours: Annotated[
        float | None, typer.Option(min=0.001, help="start no trial after the search has used this many GPU hours")
    ] = None,
    like: Annotated[
        list[Path] | None, typer.Option(help="folder of a finished run of a similar voice, to learn from; repeatable")
    ] = None,
    auto_ref: Annotated[
        bool, typer.Option("--auto-ref", help="if the data names no reference clip, use the best clip")
    ] = False,
    isolate: Annotated[bool, typer.Option("--isolate", help="each trial in its own process, not in a seat")] = False,
    seats: Annotated[
        int | None, typer.Option(min=1, help="concurrent trials per bench; default: as many as fit in memory")
    ] = None,
    gpus_per_bench: Annotated[int | None, typer.Option(min=1, help="GPUs that train together; default: 1")] = None,
    max_benches: Annotated[int | None, typer.Option(min=1, help="concurrent benches; default: one per GPU")] = None,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster: auto, host:port, or local; default: a Ray running on this machine")
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0.0, help="on a cluster, minutes to wait for a node that can hold a bench")
    ] = WAIT_MINUTES,
    storage: Annotated[
        str | None, typer.Option(help="object storage such as s3://bucket/prefix, for nodes without a shared folder")
    ] = None,
    cluster: Annotated[
        Path | None, typer.Option(help="the YAML given to `ray up`: search on that cluster, followed from here")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="spoken in the clips: code or English name; for model, lines and recogniser")
    ] = None,
    recogniser: Annotated[
        str | None, typer.Option(help="what hears the words: Hub id, folder, pocketsphinx, or none to judge no words")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="take the guessed language without asking")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what the search would take; start nothing")] = False,
) -> None:
    """Search for the sweet spot of a LoRA fine-tune of a voice. Without options: the demo voice."""
    console = Console()
    with exit_on_input_error():
        arguments = Arguments(
            data=tuple(data or ()),
            max_audio_hours=max_audio_hours,
            model=model,
            space=space,
            out=out,
            resume=resume,
            seed=seed,
            trials=trials,
            accept=accept,
            hours=hours,
            gpu_hours=gpu_hours,
            auto_ref=auto_ref,
            mode=ExecutionMode(isolate, seats, gpus_per_bench, max_benches, wait),
            address=address or recorded_address(os.environ),
            storage=storage,
            like=tuple(like or ()),
            language=language,
            recogniser=recogniser,
        )

        def confirm(statement: str) -> bool:
            return _confirm(statement, yes, console)

        if cluster is not None:
            raise typer.Exit(_search_on_cluster(cluster, arguments, address, dry_run, context, console))
        with progress_bars() as on_progress:
            restore_run(arguments, on_progress)
        plan = make_plan(arguments, datetime.now(), os.environ)
        if dry_run:
            plan, checked = check_inputs(plan, confirm)
            print_forecast(plan, checked, local_gpus(), console)
        else:
            raise typer.Exit(_search_here(plan, confirm, console))


def _search_here(plan: Plan, confirm: Confirm, console: Console) -> int:
    """Checks the plan, runs the search and prints its summary. Returns the exit code."""
    plan, checked = check_plan(plan, confirm)
    plan, why_isolated = choose_mode(plan)
    # The driver imports Ray, which takes seconds: a wrong plan is refused before that.
    from search.driver import run_search

    print_introduction(plan, checked, why_isolated, console)
    try:
        end = run_search(plan, checked, console)
    except KeyboardInterrupt:
        print_lines(["", f"Stopped. Continue with: {resume_command(plan.run.path)}"], console)
        return INTERRUPTED
    except Exception as error:
        if is_disk_full(error):
            problem, remedy = "the disk is full", "make room"
        elif getattr(error, "errno", None) is not None:
            problem, remedy = "storage failed", "repair it"
        else:
            raise
        raise InputError(
            f"{plan.run.path}: {problem} ({str(error).splitlines()[0]}); trials that ended are kept: {remedy}, then "
            "continue with --resume"
        ) from None
    from results.report.picture import draw_search

    picture, page = draw_search(plan.run), _write_page(plan, console)
    push_bookkeeping(plan)
    print_summary(end, picture, page, console)
    return end.exit_code


def _confirm(statement: str, yes: bool, console: Console) -> bool:
    """Asks on a terminal whether the statement is right; elsewhere, and with `--yes`, tells it and takes it."""
    if yes or not console.is_terminal or not sys.stdin.isatty():
        print_lines([f"{statement}; --language says another"], console)
        return True
    return typer.confirm(f"{statement}. Is that right?", default=True)


def _search_on_cluster(
    cluster: Path, arguments: Arguments, address: str | None, dry_run: bool, context: typer.Context, console: Console
) -> int:
    """Runs the same command on the head of the cluster. Returns the exit code of the search there."""
    for option, is_given in (("--address", address is not None), ("--dry-run", dry_run)):
        if is_given:
            raise InputError(f"--cluster searches on that cluster, but {option} is about this machine: leave one out")
    from search.submit.inputs import given_options
    from search.submit.ray_up import RayUpHead
    from search.submit.submit import SubmitRequest, submit_search

    return submit_search(RayUpHead(cluster), SubmitRequest(arguments, given_options(context), datetime.now()), console)


def _write_page(plan: Plan, console: Console) -> Path | None:
    """Writes the listening page. Returns None and prints why if that fails: the results of the search stand."""
    from results.report.page import write_report

    try:
        with progress_bars() as on_progress:
            return write_report(plan.run, on_progress)
    except InputError as error:
        console.print(str(error), style="yellow", markup=False)
        return None


if __name__ == "__main__":
    typer.run(run)
