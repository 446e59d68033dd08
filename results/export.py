"""Takes an adapter out of a run: `python -m results.export RUN DIR [--trial ID]`. Possible while the search runs.

The adapter is written beside DIR, loaded back and made to speak; only if it then says exactly what the trained model
says is it renamed into place. Exit codes: 1 it does not, 2 wrong input, 3 nothing accepted.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from results.card import write_card
from results.exported import RECORD, Exported, read_exported
from results.ledger import History, SearchStarted, read_ledger
from results.ranking import against_base, is_accepted, last_verdict, nearest, ranked
from results.run_folder import RunFolder
from spaces.command import told_plainly
from spaces.errors import InputError
from spaces.probe_settings import ProbeSettings
from spaces.trial import Outcome
from trainable.trial_folder import write_beside

UNFAITHFUL, NOTHING_ACCEPTED = 1, 3
UNHEARD_TEXT = "One two three."
"""Spoken when neither the trial nor the base model was probed."""


class UnfaithfulExport(RuntimeError):
    """What was written does not speak like what was trained."""


def export_trial(run: RunFolder, trial: str, folder: Path) -> Path:
    """Exports that trial's kept checkpoint into `folder`, whatever its verdict; an earlier export there is replaced.

    Raises InputError for an unknown trial, one that kept no checkpoint, or a folder that holds anything else, and
    UnfaithfulExport when the written adapter does not speak like the trained one. Then `folder` is as it was.
    """
    history = read_ledger(run.ledger)
    outcome = _outcome(history, trial)
    if history.search is None:
        raise InputError(f"{run.ledger}: does not say how the search was started; {'; '.join(history.problems)}")
    folder = folder.resolve()
    _check_target(folder)
    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); give another DIR") from None
    try:
        _write(run, history, history.search, outcome, beside)
        _swap(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _outcome(history: History, trial: str) -> Outcome:
    outcome = history.outcomes.get(trial)
    if outcome is None:
        state = "has not ended" if trial in history.drawn else "is unknown"
        known = ", ".join(name for name, each in history.outcomes.items() if each.checkpoint) or "none yet"
        raise InputError(f"trial {trial} {state}; trials that can be exported: {known}")
    if outcome.checkpoint is None or outcome.draw is None:
        raise InputError(f"trial {trial} kept no checkpoint ({outcome.ending}: {outcome.reason}); give another --trial")
    return outcome


def _check_target(folder: Path) -> None:
    """Only what an earlier export wrote may be replaced."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; give a new folder")
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    if not present:
        return
    if RECORD not in present:
        raise InputError(f"{folder}: not empty, and not an earlier export; give a new folder")
    foreign = sorted(present - {RECORD, *read_exported(folder).files})
    if foreign:
        raise InputError(f"{folder}: holds {foreign[0]} beside an earlier export; move it away or give a new folder")


def _write(run: RunFolder, history: History, search: SearchStarted, outcome: Outcome, beside: Path) -> None:
    from trainable.audio import write_audio
    from trainable.checkpoint import load_weights
    from trainable.family import Cue, load_family
    from trainable.probe.calibration import Calibration
    from trainable.strength import at_strength

    family = load_family(search.family)
    language = search.space["language"]
    sampling = ProbeSettings.model_validate(search.space["probe"]).sampling
    checkpoint = run.trial(outcome.trial) / outcome.checkpoint
    for needed in (run.prepared, run.calibration, checkpoint):
        if not needed.exists():
            raise InputError(f"{needed}: missing, so trial {outcome.trial} cannot be rebuilt; it is part of the run")
    learner = family.build(search.model, run.prepared, language, outcome.draw, search.seed)
    strength = last_verdict(outcome, history).strength if outcome.verdict else 1.0
    learner.load_tensors(at_strength(load_weights(checkpoint), strength))
    learner.eval()
    family.export(learner, search.model, beside)

    text = _sample_text(history, outcome)
    tempo = Calibration.read(run.calibration).tempo
    cue = Cue(text, search.seed, tempo.frame_cap(text))
    written = family.load_exported(beside, None).speak(cue, sampling)
    (trained,) = learner.speak([cue], sampling)
    _check_equal(outcome.trial, text, trained, written)
    write_audio(beside / "sample.wav", written.wave)

    files = {str(path.relative_to(beside)) for path in beside.rglob("*") if path.is_file()}
    exported = Exported(
        trial=outcome.trial,
        draw=outcome.draw,
        outcome=outcome,
        final=history.finals.get(outcome.trial),
        strength=strength,
        family=search.family,
        base_model=search.model,
        language=language,
        seed=search.seed,
        sampling=sampling,
        tempo=tempo,
        fingerprint=search.fingerprint,
        sample_text=text,
        files=tuple(sorted(files | {"README.md"})),
    )
    write_card(beside, exported, search.voice, against_base(outcome, history))
    write_beside(beside / RECORD, exported.model_dump_json(indent=1) + "\n")


def _check_equal(trial: str, text: str, trained, written) -> None:
    """On the same device in the same type, equal weights, text, seed and batch give equal samples."""
    import numpy as np

    if trained.frames != written.frames or not np.array_equal(trained.wave, written.wave):
        raise UnfaithfulExport(
            f"trial {trial}: the exported adapter says “{text}” in {written.frames} frames and the trained one in "
            f"{trained.frames}, or with other samples; expected equal speech. Nothing was exported"
        )


def _sample_text(history: History, outcome: Outcome) -> str:
    for probed in (outcome, history.base):
        if probed is not None and probed.verdict is not None:
            return probed.verdict.lines[0].text
    return UNHEARD_TEXT


def _swap(beside: Path, folder: Path) -> None:
    if not folder.exists():
        beside.rename(folder)
        return
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    folder.rename(old)
    try:
        beside.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a search")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="where the adapter goes")],
    trial: Annotated[
        str | None, typer.Option(help="this one, whatever its verdict; without it the best accepted")
    ] = None,
) -> None:
    """Export the best accepted adapter of a search, checked by loading it back."""
    with told_plainly():
        history = read_ledger(RunFolder(run).ledger)
        if trial is None:
            accepted = ranked(history)
            if not accepted:
                typer.secho(_nothing_accepted(run, history), err=True, fg="red")
                raise typer.Exit(NOTHING_ACCEPTED)
            trial = accepted[0].trial
        try:
            export_trial(RunFolder(run), trial, folder)
        except UnfaithfulExport as error:
            typer.secho(str(error), err=True, fg="red")
            raise typer.Exit(UNFAITHFUL) from None
    outcome = history.outcomes[trial]
    judged = "accepted" if is_accepted(outcome, history) else "rejected by the probe"
    judged = "not probed" if outcome.verdict is None else judged
    typer.echo(
        f"trial {trial}, {judged}, exported to {folder}; it speaks as trained: listen to {folder / 'sample.wav'}"
    )
    typer.echo(f'next: python -m results.speak {folder} "something to say" out.wav')


def _nothing_accepted(run: Path, history: History) -> str:
    near = nearest(history)
    if near is None:
        return f"{run}: no trial has ended yet, so there is nothing to export"
    told = f"{run}: no trial was accepted, so nothing was exported. Nearest was {near.trial}, "
    if near.verdict is not None:
        return told + f"rejected: {'; '.join(near.verdict.reasons)}. To hear it anyway: --trial {near.trial}"
    return told + f"{near.ending}: {near.reason}"


if __name__ == "__main__":
    typer.run(export)
