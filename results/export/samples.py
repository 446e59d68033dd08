"""Recordings of an export: a few lines of the probe, each beside the base model's clone of the same line."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from results.analysis.ranking import last_verdict
from results.run.ledger import History
from results.run.run_folder import RunFolder
from spaces.records.trial import BASE, Outcome
from spaces.records.verdict import Verdict

SAMPLES = 4


@dataclass(frozen=True)
class AudioSample:
    """One line and its recordings, relative to the export's folder; None where a recording is missing."""

    text: str
    audio: str | None
    base: str | None


def probe_samples(run: RunFolder, history: History, outcome: Outcome, folder: Path) -> tuple[AudioSample, ...]:
    """Copies the first lines of a trial's last verdict into `folder`; recordings that the run has lost are left out.

    The trained model spoke them before the export, at the exported strength.
    """
    verdict = last_verdict(outcome, history)
    if verdict is None:
        return ()
    trial, base = run.trial(outcome.trial), _base_audio(_base_verdict(history, outcome))
    samples = []
    for index, line in enumerate(verdict.lines[:SAMPLES]):
        audio = _copy(trial, line.audio, folder, sample_name(index))
        base_audio = _copy(run.base, base.get(line.text), folder, _base_name(index))
        if audio:
            samples.append(AudioSample(line.text, audio, base_audio))
    return tuple(samples)


def export_samples(run: RunFolder, history: History, lines: tuple[str, ...], folder: Path) -> tuple[AudioSample, ...]:
    """Samples that the export itself has spoken, already in `folder` by `sample_name`; copies the base model's."""
    base = _base_audio(history.base.verdict if history.base else None)
    return tuple(
        AudioSample(text, sample_name(index), _copy(run.base, base.get(text), folder, _base_name(index)))
        for index, text in enumerate(lines)
    )


def sample_name(index: int) -> str:
    """Path of a recording in the folder of an export."""
    return f"samples/line_{index:02d}.wav"


def _base_name(index: int) -> str:
    return f"samples/base_{index:02d}.wav"


def _base_verdict(history: History, outcome: Outcome) -> Verdict | None:
    """The base model's verdict on the lines of the trial's last verdict."""
    final, base = history.confirmations.get(outcome.trial), history.confirmations.get(BASE)
    if final and final.confirmed and base and base.confirmed:
        return base.confirmed
    return history.base.verdict if history.base else None


def _base_audio(verdict: Verdict | None) -> dict[str, str]:
    return {line.text: line.audio for line in verdict.lines} if verdict else {}


def _copy(owner: Path, audio: str | None, folder: Path, name: str) -> str | None:
    """Copies a recording of a trial's folder; None where it is missing or lies outside that folder."""
    if audio is None:
        return None
    source = owner / audio
    if not source.is_file() or not source.resolve().is_relative_to(owner.resolve()):
        return None
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, folder / name)
    return name
