"""`--dry-run`: what a search would take. Starts nothing, loads no weights, writes nothing to the run's folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from search.checking.checks import existing_parent, model_size
from search.console.before import describe_budget
from search.console.view import display_path
from search.planning.cost_table import CPU, GPU_CLASSES, LARGEST_ON_A_CPU, GpuModel, Range
from search.planning.disk import format_bytes
from search.planning.forecast import DiskForecast, GpuForecast, SearchWork, forecast_disk, forecast_gpu, search_work
from search.planning.plan import CheckedData, Plan
from trainable.family.model_size import ModelSize

ESTIMATE = (
    "These are estimates: the first figure of each is what favourable, the second what unfavourable circumstances make "
    "of it."
)


def print_forecast(plan: Plan, checked: CheckedData, here: Sequence[GpuModel], console: Console) -> None:
    """Prints the forecast. `here` are this machine's GPUs."""
    dataset, split = checked.dataset, checked.split
    lines = [
        f"Data:      {len(dataset.clips)} clips, {_hours(dataset.seconds)}; {len(split.training)} to train on, "
        f"{len(split.held_out)} held out, {split.epoch_size} in an epoch",
    ]
    size = model_size(plan.family, plan.model, plan.space)
    if size is None:
        lines.append(f"Model:     {plan.model}, of unknown size before it is here: nothing more can be foretold")
        _say(lines, console)
        return
    work = search_work(plan.space, split, plan.mode, plan.budget.trials)
    steps = work.epochs.times(_steps(plan, work))
    lines += [
        f"Model:     {_shown_model(plan.model)}, {size.parameters / 1e6:,.0f} million parameters",
        f"Downloads: {_downloads(plan, size)}",
        f"Trials:    until {describe_budget(plan.budget)}; {_between(work.epochs)} epochs each at most, "
        f"{_between(steps)} steps; most end in the band, before",
        f"Disk:      {disk_in_words(forecast_disk(work, size))}; {_free(plan.run.path)} free",
    ]
    _say(lines, console)
    console.print(_table(plan, work, size, here))
    _say([ESTIMATE, *_besides(plan, here)], console)


def disk_in_words(needed: DiskForecast) -> str:
    """`about 17–18 GB: 350–460 MB once, …`"""
    return (
        f"about {_bytes(needed.whole)}: {_bytes(needed.once)} once, {_bytes(needed.ended)} for each trial, "
        f"{_bytes(needed.running)} more while it runs"
    )


def _table(plan: Plan, work: SearchWork, size: ModelSize, here: Sequence[GpuModel]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("on one", overflow="fold")
    for heading in ("memory per seat", "seats", "one trial", f"{work.trials} trials"):
        table.add_column(heading, justify="right", no_wrap=True)
    cards = [*here, *GPU_CLASSES]
    if size.parameters <= LARGEST_ON_A_CPU:
        cards = [CPU, *cards]
    for card in cards:
        table.add_row(*_cells(forecast_gpu(work, size, card)))
    return table


def _cells(on: GpuForecast) -> tuple[str, ...]:
    if not on.fits:
        return on.card.name, _bytes(on.seat_bytes), "does not fit", "", ""
    seats = _between(on.seats) if on.seats.low >= 1 else f"may not fit, at best {on.seats.high:.0f}"
    return on.card.name, _bytes(on.seat_bytes), seats, _duration(on.trial_seconds), _duration(on.search_seconds)


def _besides(plan: Plan, here: Sequence[GpuModel]) -> list[str]:
    lines = [f"{card.name}: {card.examples}." for card in GPU_CLASSES]
    lines += [] if here else ["No NVIDIA GPU answers on this machine."]
    lines += [f"No trial is started after {plan.budget.hours:g} hours."] if plan.budget.hours else []
    return [
        *lines,
        f"Nothing was started. To search: the same command without --dry-run ({display_path(plan.run.path)})",
    ]


def _downloads(plan: Plan, size: ModelSize) -> str:
    needed = (
        []
        if size.is_downloaded
        else [f"the model, about {size.file_bytes / 1e9:.1f} GB, unless it is in the hub's cache"]
    )
    recogniser = plan.space.probe.recogniser
    if "/" in recogniser and not Path(recogniser).is_dir():
        needed.append(f"the recogniser {recogniser}")
    return " and ".join(needed) or "none"


def _steps(plan: Plan, work: SearchWork) -> int:
    """Optimizer steps in an epoch, at least."""
    domain = plan.space.draw.get("accumulation")
    return max(1, work.passes_per_epoch // (max(domain.boundary_values()) if domain else 1))


def _free(folder: Path) -> str:
    return format_bytes(shutil.disk_usage(existing_parent(folder)).free)


def _shown_model(model: str) -> str:
    return display_path(Path(model)) if Path(model).is_dir() else model


def _between(numbers: Range) -> str:
    low, high = (f"{number:,.0f}" for number in numbers)
    return low if low == high else f"{low}–{high}"


def _bytes(needed: Range) -> str:
    unit, name = (1e9, "GB") if needed.high >= 1e9 else (1e6, "MB")
    return f"{_rounded(Range(needed.low / unit, needed.high / unit))} {name}"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"


def _duration(seconds: Range) -> str:
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds.high >= 2 * unit:
            return f"{_rounded(Range(seconds.low / unit, seconds.high / unit))} {name}"
    return f"{_rounded(seconds)} s"


def _rounded(numbers: Range) -> str:
    """With a digit or two: nobody knows it better."""
    low, high = (f"{float(f'{number:.2g}'):,.10g}" for number in numbers)
    return low if low == high else f"{low}–{high}"


def _say(lines: Sequence[str], console: Console) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
