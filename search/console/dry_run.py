"""`--dry-run`: prints what a search would take. It starts nothing, loads no weights and writes nothing."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from search.checking.checks import model_size
from search.console.before import describe_budget, describe_recogniser
from search.console.view import display_path, print_lines
from search.planning.cost_table import CPU, GPU_CLASSES, MAX_CPU_PARAMETERS, GpuModel, Range
from search.planning.disk import format_bytes
from search.planning.forecast import DiskForecast, GpuForecast, SearchWork, forecast_disk, forecast_gpu, search_work
from search.planning.plan import CheckedData, Plan
from trainable.family.model_size import ModelSize
from trainable.speech.asr.installed import checkpoint_here
from trainable.speech.asr.recogniser import NONE, POCKETSPHINX
from trainable.speech.recogniser_choice.choice import recogniser_bytes

ESTIMATE = "These are estimates: each range goes from favourable to unfavourable circumstances."


def print_forecast(plan: Plan, checked: CheckedData, gpus: Sequence[GpuModel], console: Console) -> None:
    """`gpus` are those of this machine."""
    dataset, split = checked.dataset, checked.split
    lines = [
        f"Data:      {len(dataset.clips)} clips, {_hours(dataset.seconds)}; {len(split.training)} to train on, "
        f"{len(split.held_out)} held out, {split.epoch_size} in an epoch",
    ]
    lines.append(f"Listens:   {describe_recogniser(plan.space.probe)}")
    size = model_size(plan.family, plan.model, plan.space)
    if size is None:
        lines.append(f"Model:     {plan.model}, of unknown size until it is downloaded: nothing more can be estimated")
        print_lines(lines, console)
        return
    work = search_work(plan.space, split, plan.mode, plan.budget.trials)
    steps = work.epochs.times(_steps(plan, work))
    has_band = any(recipe.band for recipe in plan.space.recipes.values())
    lines += [
        f"Model:     {_display_model(plan.model)}, {size.parameters / 1e6:,.0f} million parameters",
        f"Downloads: {_downloads(plan, size)}",
        f"Trials:    until {describe_budget(plan.budget)}; {_range(work.epochs)} epochs each at most, "
        f"{_range(steps)} steps{'; most end earlier, in the band' if has_band else ''}",
        f"Disk:      {disk_in_words(forecast_disk(work, size))}; {_free(plan.run.path)} free",
    ]
    print_lines(lines, console)
    console.print(_table(work, size, gpus))
    print_lines([ESTIMATE, *_notes(plan, gpus)], console)


def disk_in_words(needed: DiskForecast) -> str:
    """`about 17–18 GB: 350–460 MB once, …`"""
    return (
        f"about {_bytes(needed.whole)}: {_bytes(needed.once)} once, {_bytes(needed.ended)} for each trial, "
        f"{_bytes(needed.running)} more while it runs"
    )


def _table(work: SearchWork, size: ModelSize, local: Sequence[GpuModel]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("on one", overflow="fold")
    for heading in ("memory per seat", "seats", "one trial", f"{work.trials} trials"):
        table.add_column(heading, justify="right", no_wrap=True)
    gpus = [*local, *GPU_CLASSES]
    if size.parameters <= MAX_CPU_PARAMETERS:
        gpus = [CPU, *gpus]
    for gpu in gpus:
        table.add_row(*_cells(forecast_gpu(work, size, gpu)))
    return table


def _cells(forecast: GpuForecast) -> tuple[str, ...]:
    name, memory = forecast.gpu.name, _bytes(forecast.seat_bytes)
    if not forecast.fits:
        return name, memory, "does not fit", "", ""
    seats = forecast.seats
    count = _range(seats) if seats.low >= 1 else f"may not fit, at best {seats.high:.0f}"
    return name, memory, count, _duration(forecast.trial_seconds), _duration(forecast.search_seconds)


def _notes(plan: Plan, gpus: Sequence[GpuModel]) -> list[str]:
    lines = [f"{gpu.name}: {gpu.examples}." for gpu in GPU_CLASSES]
    lines += [] if gpus else ["No NVIDIA GPU was found on this machine."]
    lines += [f"No trial starts after {plan.budget.hours:g} hours."] if plan.budget.hours else []
    return [
        *lines,
        f"Nothing was started. To search: the same command without --dry-run ({display_path(plan.run.path)})",
    ]


def _downloads(plan: Plan, size: ModelSize) -> str:
    needed = (
        []
        if size.is_downloaded
        else [f"the model, about {size.file_bytes / 1e9:.1f} GB, unless the Hub's cache has it"]
    )
    recogniser = plan.space.probe.recogniser
    if recogniser not in (NONE, POCKETSPHINX) and checkpoint_here(recogniser) is None:
        known = recogniser_bytes(recogniser)
        needed.append(f"the recogniser {recogniser}" + (f", {format_bytes(known)}" if known else ""))
    return " and ".join(needed) or "none"


def _steps(plan: Plan, work: SearchWork) -> int:
    """The fewest optimizer steps that an epoch may have."""
    accumulation = int(plan.space.bounds("accumulation")[1]) if "accumulation" in plan.space.draw else 1
    return max(1, work.passes_per_epoch // accumulation)


def _free(folder: Path) -> str:
    """Free space on the disk that `folder`, which need not exist yet, will be on."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return format_bytes(shutil.disk_usage(existing).free)


def _display_model(model: str) -> str:
    return display_path(Path(model)) if Path(model).is_dir() else model


def _range(numbers: Range) -> str:
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
    """Two significant digits: the estimate is no more precise."""
    low, high = (f"{float(f'{number:.2g}'):,.10g}" for number in numbers)
    return low if low == high else f"{low}–{high}"
