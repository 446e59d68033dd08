"""Shows the tensors of a model and what each choice of LoRA targets trains: `python -m trainable.inspect MODEL`.

Exit code 2: not a Qwen3-TTS checkpoint, or targets that match nothing.
"""

from collections.abc import Sequence
from typing import Annotated

import typer
from pydantic_core import to_json
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from spaces.cli import exit_on_input_error
from spaces.qwen3_tts import TARGETS
from trainable.qwen3_tts.checkpoint.inventory import (
    StoredTensor,
    TargetSummary,
    inventory,
    match_targets,
    text_projection_parameters,
)

RANKS = (8, 32, 128)
BYTES_PER_PARAMETER = 4
"""Trained weights are float32, in checkpoints and in exported adapters."""
UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))
MIN_WIDTH = 112
"""Columns; in a narrower table the names of tensors wrap."""


def inspect(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="hub id or folder of a Qwen3-TTS checkpoint")],
    targets: Annotated[
        str | None,
        typer.Option(help="a regular expression over the talker's module names, shown beside the named choices"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object with every tensor")] = False,
) -> None:
    """Show a model's modules and sizes, and what LoRA would train. Reads no weights."""
    with exit_on_input_error():
        tensors = inventory(model)
        choices = {name: match_targets(tensors, pattern) for name, pattern in TARGETS.items()}
        if targets is not None:
            choices[targets] = match_targets(tensors, targets)
    projection = text_projection_parameters(tensors)
    if as_json:
        typer.echo(to_json(_as_object(model, tensors, choices, projection), indent=1))
        return
    console = Console()
    console.width = max(console.width, MIN_WIDTH)
    console.print(_tensor_table(model, tensors), _target_table(choices, projection), sep="\n")
    console.print(
        f"text_projection is trained besides, unless its learning rate is 0: {_count(projection)}, "
        f"{_bytes(BYTES_PER_PARAMETER * projection)}. Sizes are those of the exported file; a checkpoint to resume "
        "from is three times as large.",
        highlight=False,
    )


def _tensor_table(model: str, tensors: Sequence[StoredTensor]) -> Table:
    """One row for the same weight of all layers, and one for each part of the model that is never trained."""
    groups: dict[tuple[str, str, str], list[StoredTensor]] = {}
    for tensor in tensors:
        part = tensor.name.split(".")[0]
        row = (tensor.pattern, "×".join(map(str, tensor.shape))) if part == "talker" else (part, "")
        groups.setdefault((*row, tensor.dtype), []).append(tensor)
    table = Table(title=model, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("tensors", overflow="fold", min_width=60)
    for heading in ("times", "shape", "type", "parameters", "on disk"):
        table.add_column(heading, justify="right", no_wrap=True)
    for (pattern, shape, dtype), group in groups.items():
        table.add_row(pattern, str(len(group)), shape, dtype, *_totals(group))
    table.add_section()
    table.add_row("all", str(len(tensors)), "", "", *_totals(tensors))
    return table


def _totals(tensors: Sequence[StoredTensor]) -> tuple[str, str]:
    return _count(sum(tensor.numel for tensor in tensors)), _bytes(sum(tensor.size for tensor in tensors))


def _target_table(choices: dict[str, TargetSummary], projection: int) -> Table:
    table = Table(title="LoRA targets, text_projection included", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("targets", overflow="fold")
    table.add_column("modules", justify="right")
    for rank in RANKS:
        table.add_column(f"rank {rank}", justify="right", no_wrap=True)
    for name, summary in choices.items():
        trained = [summary.parameters(rank) + projection for rank in RANKS]
        cells = [f"{_count(count)}, {_bytes(BYTES_PER_PARAMETER * count)}" for count in trained]
        table.add_row(name, str(len(summary.modules)), *cells)
    return table


def _as_object(model: str, tensors: Sequence[StoredTensor], choices: dict[str, TargetSummary], projection: int) -> dict:
    return {
        "model": model,
        "numbers": sum(tensor.numel for tensor in tensors),
        "bytes": sum(tensor.size for tensor in tensors),
        "text_projection": projection,
        "targets": {
            name: {
                "modules": summary.modules,
                "trained": {str(rank): summary.parameters(rank) + projection for rank in RANKS},
            }
            for name, summary in choices.items()
        },
        "tensors": [{"name": each.name, "shape": each.shape, "dtype": each.dtype} for each in tensors],
    }


def _count(parameters: int) -> str:
    return f"{parameters / 1e6:.2f} M" if parameters >= 1e5 else f"{parameters:,}"


def _bytes(size: float) -> str:
    unit, name = next((each for each in UNITS if size >= each[0]), UNITS[-1])
    return f"{size / unit:.3g} {name}"


if __name__ == "__main__":
    typer.run(inspect)
