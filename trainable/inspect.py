"""What is in a model, and what each choice of LoRA targets trains: `python -m trainable.inspect MODEL`.

Exit code 2: no Qwen3-TTS checkpoint, or targets that match nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from pydantic_core import to_json
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from spaces.cli import exit_on_input_error
from spaces.draw import TARGETS
from trainable.qwen3_tts.checkpoint.inventory import TargetSummary, Weight, inventory, reach, text_projection_numbers

RANKS = (8, 32, 128)
ADAPTER_BYTES = 4
"""Trained weights are float32, in checkpoints and in exported adapters."""
UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))
LEAST_WIDTH = 112
"""Columns below which names of tensors would wrap."""


def inspect(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="hub id or folder of a Qwen3-TTS checkpoint")],
    targets: Annotated[
        str | None, typer.Option(help="a regular expression over the talker's modules, beside the named choices")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object, every tensor in it")] = False,
) -> None:
    """Show a model's modules and sizes, and what LoRA would train. Reads no weights."""
    with exit_on_input_error():
        weights = inventory(model)
        choices = {name: reach(weights, pattern) for name, pattern in TARGETS.items()}
        if targets is not None:
            choices[targets] = reach(weights, targets)
    projection = text_projection_numbers(weights)
    if as_json:
        typer.echo(to_json(_as_object(model, weights, choices, projection), indent=1))
        return
    console = Console()
    console.width = max(console.width, LEAST_WIDTH)
    console.print(_modules(model, weights), _choices(choices, projection), sep="\n")
    console.print(
        f"text_projection, trained beside each of them unless its rate is 0: {_count(projection)}, "
        f"{_bytes(ADAPTER_BYTES * projection)}. Sizes are of the file that is exported; a checkpoint to go on from "
        "takes three times as much.",
        highlight=False,
    )


def _modules(model: str, weights: Sequence[Weight]) -> Table:
    """Equal parts of equal layers are one row, and so is each part that no draw trains."""
    kinds: dict[tuple[str, str, str], list[Weight]] = {}
    for weight in weights:
        part = weight.name.split(".")[0]
        row = (weight.kind, "×".join(map(str, weight.shape))) if part == "talker" else (part, "")
        kinds.setdefault((*row, weight.dtype), []).append(weight)
    table = Table(title=model, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("tensors", overflow="fold", min_width=60)
    for heading in ("times", "shape", "type", "numbers", "on disk"):
        table.add_column(heading, justify="right", no_wrap=True)
    for (kind, shape, dtype), group in kinds.items():
        numbers, size = sum(each.numbers for each in group), sum(each.size for each in group)
        table.add_row(kind, str(len(group)), shape, dtype, _count(numbers), _bytes(size))
    table.add_section()
    total, size = sum(each.numbers for each in weights), sum(each.size for each in weights)
    table.add_row("all", str(len(weights)), "", "", _count(total), _bytes(size))
    return table


def _choices(choices: dict[str, TargetSummary], projection: int) -> Table:
    table = Table(title="LoRA targets, text_projection beside them", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("targets", overflow="fold")
    table.add_column("modules", justify="right")
    for rank in RANKS:
        table.add_column(f"rank {rank}", justify="right", no_wrap=True)
    for name, reached in choices.items():
        numbers = [reached.numbers(rank) + projection for rank in RANKS]
        cells = [f"{_count(count)}, {_bytes(ADAPTER_BYTES * count)}" for count in numbers]
        table.add_row(name, str(len(reached.modules)), *cells)
    return table


def _as_object(model: str, weights: Sequence[Weight], choices: dict[str, TargetSummary], projection: int) -> dict:
    return {
        "model": model,
        "numbers": sum(weight.numbers for weight in weights),
        "bytes": sum(weight.size for weight in weights),
        "text_projection": projection,
        "targets": {
            name: {
                "modules": reached.modules,
                "trained": {str(rank): reached.numbers(rank) + projection for rank in RANKS},
            }
            for name, reached in choices.items()
        },
        "tensors": [{"name": each.name, "shape": each.shape, "dtype": each.dtype} for each in weights],
    }


def _count(numbers: int) -> str:
    return f"{numbers / 1e6:.2f} M" if numbers >= 1e5 else f"{numbers:,}"


def _bytes(size: float) -> str:
    unit, name = next((each for each in UNITS if size >= each[0]), UNITS[-1])
    return f"{size / unit:.3g} {name}"


if __name__ == "__main__":
    typer.run(inspect)
