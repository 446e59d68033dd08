"""Searches for the adapter that keeps a voice, says the words and stops when the sentence ends.

    python search/run.py                       the demo voice, start to finish, on a CPU, offline
    python search/run.py --data my_voice/      a voice of your own
    python search/run.py --out RUN --resume    goes on with a search that was cut off
    python search/run.py --cluster cluster.yaml --data my_voice/    on a cluster, followed from here
    python search/run.py --dry-run             says what that would take, and starts nothing

Exit codes: 0 done, 1 the best adapter could not be exported, 2 wrong input, 3 nothing accepted, 130 interrupted.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from search.checking.checks import check_inputs, check_plan, choose_mode
from search.cluster.recorded_address import recorded_address
from search.console.after import INTERRUPTED, print_summary
from search.console.before import print_introduction
from search.console.dry_run import print_forecast
from search.console.view import display_path
from search.planning.disk import is_disk_full
from search.planning.execution_mode import WAIT_MINUTES, ExecutionMode
from search.planning.local_gpus import local_gpus
from search.planning.plan import Arguments, Plan, make_plan
from search.run_state.restore import restore_run
from search.run_state.sync import push_bookkeeping
from spaces.cli import exit_on_input_error, progress_bars
from spaces.errors import InputError


def run(
    context: typer.Context,
    data: Annotated[list[str] | None, typer.Option(help="folder of clips, a JSONL, or hf:ID; may be repeated")] = None,
    max_audio_hours: Annotated[float | None, typer.Option(min=0.001, help="of each --data, at most")] = None,
    model: Annotated[str | None, typer.Option(help="base model: hub id or folder; without it the space's")] = None,
    space: Annotated[str | None, typer.Option(help="name of a space, or a TOML file")] = None,
    out: Annotated[Path | None, typer.Option(help="new folder for the run; without it runs/NAME-DATE")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the search in --out")] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="of draws, weights, order and speech")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="stop after so many; without it the space's")] = None,
    accept: Annotated[int | None, typer.Option(min=1, help="stop after so many accepted adapters")] = None,
    hours: Annotated[
        float | None, typer.Option(min=0.001, help="start no trial after so many hours, those before --resume counted")
    ] = None,
    gpu_hours: Annotated[
        float | None, typer.Option(min=0.001, help="the same, in hours of GPUs that its trials took")
    ] = None,
    like: Annotated[
        list[Path] | None, typer.Option(help="folder of a finished run of a similar voice, to learn from; repeatable")
    ] = None,
    auto_ref: Annotated[bool, typer.Option("--auto-ref", help="use the best clip where no reference is given")] = False,
    isolate: Annotated[bool, typer.Option("--isolate", help="a process per trial instead of a seat")] = False,
    seats: Annotated[int | None, typer.Option(min=1, help="trials at once on one bench; without it, by memory")] = None,
    gpus_per_bench: Annotated[int | None, typer.Option(min=1, help="GPUs that train together; without it one")] = None,
    max_benches: Annotated[int | None, typer.Option(min=1, help="benches at once; without it, one per GPU")] = None,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster: auto, host:port, or local; without it one that runs here")
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0.0, help="minutes to wait for a node that holds a bench, on a cluster")
    ] = WAIT_MINUTES,
    storage: Annotated[
        str | None, typer.Option(help="s3://bucket/prefix and the like, for nodes that share no folder")
    ] = None,
    cluster: Annotated[
        Path | None, typer.Option(help="YAML that `ray up` was given: search there, followed from here")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what it would take, and start nothing")] = False,
) -> None:
    """Search for the sweet spot of a LoRA fine-tune of a voice. Without options: the demo voice."""
    console = Console()
    with exit_on_input_error():
        mode = ExecutionMode(isolate, seats, gpus_per_bench, max_benches, wait)
        typed = Arguments(
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
            mode=mode,
            address=address or recorded_address(os.environ),
            storage=storage,
            like=tuple(like or ()),
        )
        if cluster is not None:
            raise typer.Exit(_search_on(cluster, typed, address, dry_run, context, console))
        with progress_bars() as on_progress:
            restore_run(typed, on_progress)
        plan = make_plan(typed, datetime.now(), os.environ)
        if dry_run:
            with progress_bars() as on_progress:
                seen = check_inputs(plan, on_progress)
            print_forecast(plan, seen, local_gpus(), console)
            return
        with progress_bars() as on_progress:
            checked = check_plan(plan, on_progress)
        plan, objection = choose_mode(plan)
        # What follows needs Ray, which takes seconds to import; a wrong plan is refused before.
        from search.driver import run_search

        print_introduction(plan, checked, objection, console)
        try:
            finish = run_search(plan, checked, console)
        except Exception as error:
            if not is_disk_full(error) and getattr(error, "errno", None) is None:
                raise
            what, remedy = (
                ("the disk took no more", "make room") if is_disk_full(error) else ("storage failed", "mend it")
            )
            raise InputError(
                f"{plan.run.path}: {what} ({str(error).splitlines()[0]}); what has ended is kept: {remedy}, then go on "
                "with --resume"
            ) from None
        except KeyboardInterrupt:
            console.print(
                f"\nstopped; go on with: python search/run.py --out {display_path(plan.run.path)} --resume",
                highlight=False,
            )
            raise typer.Exit(INTERRUPTED) from None
        from results.report.picture import draw_search

        drawn, page = draw_search(plan.run), _page(plan, console)
        push_bookkeeping(plan)
        print_summary(finish, drawn, page, console)
        raise typer.Exit(finish.exit_code)


def _search_on(
    cluster: Path, typed: Arguments, address: str | None, dry_run: bool, context: typer.Context, console: Console
) -> int:
    """The same on a cluster's head. Returns the search's exit code there."""
    for option, given in (("--address", address is not None), ("--dry-run", dry_run)):
        if given:
            raise InputError(f"--cluster searches on that cluster, and {option} is about this machine: leave one out")
    from search.submit.inputs import given_options
    from search.submit.ray_up import RayUpHead
    from search.submit.submit import SubmitRequest, submit_search

    return submit_search(RayUpHead(cluster), SubmitRequest(typed, given_options(context), datetime.now()), console)


def _page(plan: Plan, console: Console) -> Path | None:
    """The listening page; None where it could not be written, which is told and takes nothing from what was found."""
    from results.report.page import write_report

    try:
        with progress_bars() as on_progress:
            return write_report(plan.run, on_progress)
    except InputError as error:
        console.print(str(error), style="yellow", markup=False)
        return None


if __name__ == "__main__":
    typer.run(run)
