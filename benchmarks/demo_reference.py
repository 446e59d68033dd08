"""Records the demo voice's reference set: loss curves of draws of its space, and probes along the curves.

    gunzip --keep benchmarks/demo_reference.jsonl.gz
    python -m benchmarks.demo_reference --draws 40 --out benchmarks/demo_reference.jsonl

Draws are points of a Sobol sequence, each trained to the last epoch of the space, several at once in a pack. An
existing record, such as the shipped one unpacked, is continued. A draw takes about a minute of one core, most of it for
probes. At the end the file is also written compressed, as `.gz`.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.demo_record import (
    EPOCHS,
    ProbedCheckpoint,
    Record,
    RecordedDraw,
    RecordSettings,
    design,
    pack,
    read_record,
    steps_to_probe,
    whole,
)
from benchmarks.demo_trainer import SEED, DemoTrainer, TrainingHistory
from benchmarks.machine import describe_machine
from spaces.cli import exit_on_input_error
from spaces.draw import Draw
from spaces.errors import InputError
from spaces.space import Space, load_space
from trainable.training.epoch_order import steps_per_epoch

Order = tuple[int, dict[str, float]]
"""The index in the design, and the point."""


def record(
    out: Annotated[Path, typer.Option(help="JSON lines; an existing file is continued")],
    draws: Annotated[int, typer.Option(min=1, help="in all")] = 40,
    seats: Annotated[int, typer.Option(min=1, help="draws at once, written down together")] = 4,
) -> None:
    """Record draws."""
    console = Console()
    with exit_on_input_error(), TemporaryDirectory() as folder, _bar(console) as bar:
        space = load_space("demo")
        task = bar.add_task("reference draws", total=draws)
        trainer = DemoTrainer(space, Path(folder), seats)
        made = _made(space, trainer.clips)
        done = _begin(out, made)
        orders = [order for order in enumerate(design(space, draws)) if order[0] not in done]
        bar.update(task, completed=draws - len(orders))
        for start in range(0, len(orders), seats):
            found = record_together(space, trainer, made, orders[start : start + seats])
            with out.open("a", encoding="utf-8") as file:
                file.writelines(f"{each.model_dump_json()}\n" for each in found)
            bar.advance(task, len(found))
        whole_record = read_record(out)
        pack(whole_record, out.with_name(f"{out.name}.gz"))
    console.print(_summary(whole_record), describe_machine(), sep="\n", highlight=False)


def record_together(
    space: Space, trainer: DemoTrainer, made: RecordSettings, orders: list[Order]
) -> list[RecordedDraw]:
    """Records at most as many draws as there are seats."""
    trained = [whole(space, point, made.epochs) for _, point in orders]
    histories = trainer.train(trained)
    heard: dict[int, list[ProbedCheckpoint]] = {number: [] for number, _ in orders}
    asked = [
        (number, draw, history, step)
        for (number, point), draw, history in zip(orders, trained, histories, strict=True)
        for step in steps_to_probe(history.losses, space, point, made)
    ]
    for start in range(0, len(asked), trainer.seats):
        together = asked[start : start + trainer.seats]
        for (number, _, _, step), heard_there in zip(together, _probe(trainer, together), strict=True):
            heard[number].append(heard_there.model_copy(update={"step": step}))
    return [_recorded(number, point, history, heard[number]) for (number, point), history in zip(orders, histories)]  # noqa: B905


def _probe(trainer: DemoTrainer, together: list[tuple[int, Draw, TrainingHistory, int]]) -> list[ProbedCheckpoint]:
    adapters = trainer.probe_adapters(
        [draw for _, draw, _, _ in together], [history.weights[step] for _, _, history, step in together]
    )
    return [
        ProbedCheckpoint(
            step=step,
            accepted=adapter.verdict.accepted,
            score=round(adapter.verdict.score, 5),
            mended_by=adapter.mended_by,
            lines=len(adapter.verdict.lines),
            seconds=round(adapter.seconds, 3),
        )
        for adapter, (_, _, _, step) in zip(adapters, together, strict=True)
    ]


def _recorded(
    number: int, point: dict[str, float], history: TrainingHistory, heard: list[ProbedCheckpoint]
) -> RecordedDraw:
    return RecordedDraw(
        number=number,
        point=point,
        losses=tuple(round(float(loss), 4) if loss == loss else None for loss in history.losses),
        seconds=tuple(round(float(seconds), 3) for seconds in history.seconds),
        heard=tuple(heard),
    )


def _made(space: Space, clips: int) -> RecordSettings:
    epochs = max(space.draw[EPOCHS].boundary_values())
    per_step = whole(space, design(space, 1)[0], epochs).clips_per_step
    return RecordSettings(
        space=space.name, seed=SEED, clips=clips, epochs=epochs, steps_per_epoch=steps_per_epoch(clips, per_step)
    )


def _begin(out: Path, made: RecordSettings) -> set[int]:
    """The numbers of the recorded draws; removes an incomplete line."""
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(f"{made.model_dump_json()}\n", encoding="utf-8")
    earlier = read_record(out)
    if earlier.made != made:
        raise InputError(f"{out}: was made with other settings ({earlier.made}, not {made}); name another --out")
    lines = (earlier.made, *earlier.draws)
    out.write_text("".join(f"{line.model_dump_json()}\n" for line in lines), encoding="utf-8")
    return {each.number for each in earlier.draws}


def _summary(found: Record) -> str:
    heard = [each for draw in found.draws for each in draw.heard]
    seconds = sum(draw.seconds[-1] for draw in found.draws), sum(each.seconds for each in heard)
    accepted = [each.score for each in heard if each.accepted]
    best = f", the best {max(accepted):.3f}" if accepted else ""
    return (
        f"{len(found.draws)} draws of {found.made.epochs} epochs in {seconds[0]:.0f} s of one core; {len(heard)} "
        f"checkpoints listened to in {seconds[1]:.0f} s, {len(accepted)} of them accepted{best}"
    )


def _bar(console: Console) -> Progress:
    shown = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=shown, transient=True)


if __name__ == "__main__":
    typer.run(record)
