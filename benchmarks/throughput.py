"""Trials per minute, on benches and with a process per trial, and seconds until the first step.

    python -m benchmarks.throughput toy|demo [--trials 24]

Both modes search the same space with the same seed, one after the other, each in a new process. Trials per minute count
from the first draw to the last ended trial; seconds to the first step count from the command, including preparation.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe_machine
from benchmarks.one_search import SearchedVoice
from results.run.ledger import TrialDrawn, TrialEnded

ROOT = Path(__file__).parent.parent
POLL_SECONDS = 0.05
MODES = {"benches": (), "--isolate": ("--isolate",)}


@dataclass(frozen=True)
class SearchTiming:
    """One search."""

    trials: int
    accepted: int
    seconds: float
    """From the first draw to the last ended trial."""
    first_step: float
    """Seconds from the command."""
    whole: float

    @property
    def per_minute(self) -> float:
        return 60 * self.trials / self.seconds


def bench(voice: SearchedVoice, trials: Annotated[int, typer.Option(min=3)] = 24) -> None:
    """Print the table."""
    table = Table("", "trials", "accepted", "trials per minute", "first step, s", "whole, s", title=f"{voice} voice")
    found = {mode: _measure(voice, trials, options) for mode, options in MODES.items()}
    for mode, each in found.items():
        table.add_row(
            mode,
            str(each.trials),
            str(each.accepted),
            f"{each.per_minute:.1f}",
            f"{each.first_step:.1f}",
            f"{each.whole:.1f}",
        )
    ratio = found["benches"].per_minute / found["--isolate"].per_minute
    Console().print(table, f"benches: {ratio:.1f} times the trials per minute", describe_machine(), sep="\n")


def _measure(voice: SearchedVoice, trials: int, options: tuple[str, ...]) -> SearchTiming:
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.one_search", voice.value, folder, str(trials), *options]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        first = None
        while process.poll() is None:
            if first is None and _has_stepped(Path(folder)):
                first = time.perf_counter() - started
            time.sleep(POLL_SECONDS)
        whole = time.perf_counter() - started
        if process.returncode not in (0, 3) or first is None:
            raise SystemExit(f"the search ended with exit code {process.returncode}; run it by itself: {command}")
        return _read(Path(folder) / "run" / "ledger.jsonl", first, whole)


def _has_stepped(folder: Path) -> bool:
    """Whether any curve has a point beyond step 0."""
    return any(b'"step":1,' in curve.read_bytes() for curve in folder.glob("run/trials/*/curve.jsonl"))


def _read(ledger: Path, first_step: float, whole: float) -> SearchTiming:
    lines = ledger.read_text(encoding="utf-8").splitlines()
    drawn = [TrialDrawn.model_validate_json(line) for line in lines if '"entry":"trial_drawn"' in line]
    ended = [TrialEnded.model_validate_json(line) for line in lines if '"entry":"trial_ended"' in line]
    seconds = (max(each.time for each in ended) - min(each.time for each in drawn)).total_seconds()
    return SearchTiming(len(ended), sum(each.outcome.accepted for each in ended), seconds, first_step, whole)


if __name__ == "__main__":
    typer.run(bench)
