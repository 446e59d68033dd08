"""Recordings that go with an export: a few lines of the probe, beside the base model's clone of the same."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from results.analysis.ranking import last_verdict
from results.run.ledger import History
from results.run.run_folder import RunFolder
from spaces.records.trial import BASE, Outcome

SAMPLES = 4


@dataclass(frozen=True)
class AudioSample:
    """One line, with the recordings of it in the export's folder."""

    text: str
    audio: str | None
    """Relative to the folder; None where there is no recording, likewise the next."""
    base: str | None


def probe_samples(run: RunFolder, history: History, outcome: Outcome, folder: Path) -> tuple[AudioSample, ...]:
    """The first lines of the last that was heard of a trial, copied into `folder`; what a run has lost is left out.

    They were spoken before the export, by the trained model at the strength that is exported.
    """
    heard = last_verdict(outcome, history)
    if heard is None:
        return ()
    mine, base = run.trial(outcome.trial), _base_audio(history, outcome)
    found = []
    for place, line in enumerate(heard.lines[:SAMPLES]):
        own = _copied(mine / line.audio, mine, folder, f"samples/line_{place:02d}.wav")
        theirs = _copied(run.base / base[line.text], run.base, folder, base_name(place)) if line.text in base else None
        if own:
            found.append(AudioSample(line.text, own, theirs))
    return tuple(found)


def export_samples(run: RunFolder, history: History, lines: tuple[str, ...], folder: Path) -> tuple[AudioSample, ...]:
    """The same where the export itself has said these lines, as `samples/line_00.wav` and so on."""
    base = {line.text: line.audio for line in history.base.verdict.lines} if _was_heard(history.base) else {}
    return tuple(
        AudioSample(
            text,
            f"samples/line_{place:02d}.wav",
            _copied(run.base / base[text], run.base, folder, base_name(place)) if text in base else None,
        )
        for place, text in enumerate(lines)
    )


def base_name(place: int) -> str:
    return f"samples/base_{place:02d}.wav"


def _was_heard(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.verdict is not None


def _base_audio(history: History, outcome: Outcome) -> dict[str, str]:
    """What the base model said of the same lines, by text."""
    final, base = history.confirmations.get(outcome.trial), history.confirmations.get(BASE)
    if final and final.confirmed and base and base.confirmed:
        return {line.text: line.audio for line in base.confirmed.lines}
    return {line.text: line.audio for line in history.base.verdict.lines} if _was_heard(history.base) else {}


def _copied(source: Path, within: Path, folder: Path, name: str) -> str | None:
    """A ledger names its recordings relative to a trial; one outside of it, or that is no file, is not copied."""
    if not source.is_file() or not source.resolve().is_relative_to(within.resolve()):
        return None
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, folder / name)
    return name
