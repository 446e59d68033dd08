"""The probe's verdicts on overtrained adapters, whose speech a model really garbled.

    python -m benchmarks.overdriven_adapters [--steps 100] [--seeds 2]

Trains adapters of the demo voice at learning rates from a healthy one to a hundred times as much, lets each speak the
demo's lines and judges them as a search does, with the demo's own calibration and recogniser. Only the rate says which
adapters are garbled: from ten times the healthy rate on the loss stays high or rises, as printed beside the verdicts.
The demo is a miniature that says digits, some wrongly even when healthy, so its figures do not transfer.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import describe_machine
from spaces.cli import exit_on_input_error
from spaces.draw import Draw
from spaces.families import FAMILIES
from spaces.qwen3_tts import LOSSES, QwenDraw
from spaces.records.interval import wilson
from spaces.records.verdict import Verdict
from spaces.space import Space, load_space
from trainable.dataset.source import Source
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Batch, Learner, load_family
from trainable.probe.criteria.calibration import Calibration
from trainable.probe.session.listener import Listener
from trainable.probe.session.probe import ProbeScript, ProbeSubject, probe
from trainable.probe.texts.lines import lines_for
from trainable.stages.baseline import CALIBRATION, BaselineSettings, measure_baseline
from trainable.training.single_seat import SEAT, SingleSeatPack

ROOT = Path(__file__).parent.parent
SEED = 1
"""Of the speech and the split of the dataset."""
HEALTHY = 3e-3
TIMES = (1, 10, 30, 100)
ALIGNED = list(LOSSES).index("aligned")
LAST_STEPS = 12
"""Steps whose mean loss is printed."""


@dataclass(frozen=True)
class AdapterResult:
    """The final loss of an adapter, None for the base, and the probe's verdict."""

    loss: float | None
    verdict: Verdict


def bench(
    steps: Annotated[int, typer.Option(min=1, help="optimizer steps of each adapter")] = 100,
    seeds: Annotated[int, typer.Option(min=1, help="adapters of each rate")] = 2,
) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    with exit_on_input_error(), TemporaryDirectory() as name:
        folder, space = Path(name), load_space("demo")
        base = AdapterResult(None, _base(space, folder))
        orders = [(times, seed) for times in TIMES for seed in range(seeds)]
        shown = track(orders, "over-driving", console=Console(stderr=True), transient=True)
        results = {order: _adapter(space, folder, HEALTHY * order[0], steps, order[1]) for order in shown}
    table = Table(
        "adapters", "rate", "loss", "lines that fail", "raised", "rejected", title=f"{steps} steps on the demo voice"
    )
    table.add_row("the base alone", "", "", *_row([base]))
    for times in TIMES:
        own = [results[times, seed] for seed in range(seeds)]
        losses = ", ".join(f"{each.loss:.2f}" for each in own)
        table.add_row("healthy" if times == 1 else f"{times} × as hard", f"{HEALTHY * times:g}", losses, *_row(own))
    Console().print(table, describe_machine(), sep="\n")


def _base(space: Space, folder: Path) -> Verdict:
    plan = BaselineSettings(
        sources=(Source.parse(str(ROOT / "demo" / "voice")),),
        auto_reference=False,
        cache=folder / "cache",
        data=space.data,
        family=FAMILIES[space.family].module,
        model=space.model,
        language=space.language,
        seed=SEED,
        probe=space.probe,
        prepared=folder / "prepared",
        base=folder / "base",
    )
    return measure_baseline(plan, lambda what, done, of: None).verdict


def _adapter(space: Space, folder: Path, rate: float, steps: int, seed: int) -> AdapterResult:
    draw = QwenDraw(
        objective="aligned",
        rank=16,
        alpha_ratio=2,
        lora_lr=rate,
        text_projection_lr=1e-4,
        epochs=1,
        targets=space.recipes["aligned"].targets,
        batch=4,
        accumulation=1,
    )
    learner = load_family(FAMILIES[space.family].module).build(
        space.model, folder / "prepared", space.language, draw, seed
    )
    loss, pack = _train(learner, draw, steps, seed)
    calibration = Calibration.read(folder / "base" / CALIBRATION)
    verdicts = probe(
        lambda seats, cues: pack.speak(seats, cues, space.probe.sampling),
        Listener.open(pack, space.probe, calibration, SEED),
        ProbeScript(lines_for(space.probe.lines, pack.split), SEED),
        {SEAT: ProbeSubject(folder / f"{rate:g}_{seed}")},
        whole=True,
    )
    return AdapterResult(loss, verdicts[SEAT])


def _train(learner: Learner, draw: Draw, steps: int, seed: int) -> tuple[float, SingleSeatPack]:
    """The mean loss of the last steps, and the trained pack."""
    pack, clips = SingleSeatPack(learner, draw, ProcessGroup()), list(learner.split.training)
    pack.join(SEAT, draw, seed)
    chance, losses = random.Random(seed), []
    for step in range(1, steps + 1):
        rows = pack.accumulate({SEAT: Batch(chance.sample(clips, draw.batch), step, 1 / draw.batch)})[SEAT]
        pack.step({SEAT: 1.0})
        losses.append(sum(row[ALIGNED] for row in rows) / len(rows))
    last = losses[-LAST_STEPS:]
    return sum(last) / len(last), pack


def _row(results: list[AdapterResult]) -> tuple[str, ...]:
    lines = list(chain.from_iterable(each.verdict.lines for each in results))
    failed = sum(line.failed for line in lines)
    flags = Counter(flag for line in lines for flag in line.flags)
    flag_shares = ", ".join(f"{flag} {count / len(lines):.0%}" for flag, count in flags.most_common(4))
    rejected = sum(not each.verdict.accepted for each in results)
    share = f"{failed} of {len(lines)} ({wilson(failed, len(lines))})"
    return share, flag_shares, f"{rejected} of {len(results)}"


if __name__ == "__main__":
    typer.run(bench)
