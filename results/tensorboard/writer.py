"""TensorBoard event files, written by the search's driver while trials run: one folder per trial under RUN/tensorboard.

Scalars are written at the trial's own optimizer steps. A folder is read back when it is first opened, so that a
restarted driver continues without duplicates. Hyperparameters, result and confirmation of a trial are written
atomically, in a file each.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from results.media.voice_recordings import find_recordings
from results.run.ledger import History, read_ledger
from results.run.run_folder import RunFolder
from results.tensorboard.recordings import add_lines, add_voice
from results.tensorboard.scalars import (
    LAST_SCALAR,
    RESULT,
    add_hyperparameters,
    base_scalars,
    chart_layout,
    metrics,
    progress,
    scalars,
)
from results.tensorboard.text import confirmation_in_words, outcome_in_words
from spaces.band import Band
from spaces.draw import Draw
from spaces.families import FAMILIES, FamilyEntry, entry_of
from spaces.records.confirmation import Confirmation
from spaces.records.trial import BASE, Outcome
from trainable.files.trial_folder import TrialFolder

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

DRAWN = "events.out.tfevents.0.drawn"
ENDED = f"events.out.tfevents.{'9' * 10}.ended"
CONFIRMED = f"events.out.tfevents.{'9' * 11}.final"
"""TensorBoard reads the files of a folder in the order of their names, and never returns to an earlier one."""
STAGING_PREFIX = ".tensorboard."
"""Prefix of the folder, in the run's folder, in which a file is written."""
MAX_RECORDINGS = 6
"""Lines of a trial with audio; the base model has all. The other recordings are in the trial's folder."""


class TensorBoardWriter:
    """Writes the TensorBoard files of one run. Only one process may use it at a time."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._curves: dict[str, _Curve] = {}
        self._begun: dict[str, tuple[Draw, Band | None]] = {}
        """Trials without a curve yet."""
        # Left by a writer that was killed.
        for aside in run.path.glob(f"{STAGING_PREFIX}*"):
            shutil.rmtree(aside, ignore_errors=True)

    def begin_trial(self, trial: str, draw: Draw, band: Band | None) -> None:
        """Announces a trial with its draw and its band, if any. A trial not announced is looked up in the ledger."""
        self._begun[trial] = draw, band

    def update_trial(self, trial: str) -> None:
        """Writes the new points of the trial's curve."""
        if self._is_ended(trial):
            return
        curve = self._curve(trial)
        points = TrialFolder(self._run.trial(trial)).read_points()
        known = curve.last_step
        for before, point in zip([None, *points], points, strict=False):
            if point.step > curve.last_step:
                for name, value in scalars(before, point, curve.band, curve.base, curve.family).items():
                    curve.writer.add_scalar(name, value, point.step)
                curve.last_step = point.step
        if curve.last_step > known:
            for name, value in progress(points[-1], curve.family).items():
                curve.writer.add_scalar(f"{RESULT}/{name}", value, points[-1].step)
        curve.writer.flush()

    def end_trial(self, trial: str, draw: Draw, outcome: Outcome) -> None:
        """Writes the rest of the curve; then, once, hyperparameters, result, verdict as text, and recordings."""
        if self._is_ended(trial):
            return
        self.update_trial(trial)
        # One step after the curve, so that the result is the last value of each tag.
        step = self._curve(trial).last_step + 1
        self._close(trial)

        def fill(writer: SummaryWriter) -> None:
            add_hyperparameters(writer, draw, outcome)
            _add_result(writer, outcome, step)
            if outcome.verdict:
                add_lines(writer, self._run.trial(trial), outcome.verdict.lines[:MAX_RECORDINGS], step)

        # TensorBoard keeps the first hyperparameters that it reads.
        (self._folder(trial) / DRAWN).unlink(missing_ok=True)
        self._write_atomically(trial, ENDED, fill)

    def add_base(self, outcome: Outcome) -> None:
        """Writes, once, losses, result, verdict and recordings of the base model, the speaker's own recordings, and the
        layout of charts."""
        if self._is_ended(BASE):
            return
        lines = outcome.verdict.lines if outcome.verdict else ()
        own = find_recordings(self._history(), [line.text for line in lines])

        def fill(writer: SummaryWriter) -> None:
            writer.add_custom_scalars(chart_layout(self._family()))
            for name, value in base_scalars(outcome.base_losses, self._family()).items() if outcome.base_losses else ():
                writer.add_scalar(name, value, 0)
            _add_result(writer, outcome, 0)
            add_lines(writer, self._run.base, lines, 0)
            add_voice(writer, lines, own)

        self._write_atomically(BASE, ENDED, fill)

    def add_confirmation(self, final: Confirmation) -> None:
        """Writes, once, the confirmation of a finalist or of the base model."""
        if (self._folder(final.trial) / CONFIRMED).is_file():
            return
        folder = self._run.base if final.trial == BASE else self._run.trial(final.trial)

        def fill(writer: SummaryWriter) -> None:
            confirmed = final.confirmed
            writer.add_scalar("final/accepted", float(final.accepted), 0)
            if confirmed:
                writer.add_scalar("final/score", confirmed.score, 0)
                writer.add_scalar("final/strength", confirmed.strength, 0)
                add_lines(writer, folder, confirmed.lines[:MAX_RECORDINGS], 0, "final")
            writer.add_text("final", confirmation_in_words(final), 0)

        self._write_atomically(final.trial, CONFIRMED, fill)

    def close(self) -> None:
        for trial in list(self._curves):
            self._close(trial)

    def _folder(self, trial: str) -> Path:
        return self._run.tensorboard / trial

    def _is_ended(self, trial: str) -> bool:
        return (self._folder(trial) / ENDED).is_file()

    def _history(self) -> History:
        return read_ledger(self._run.ledger) if self._run.ledger.is_file() else History()

    def _family(self) -> FamilyEntry:
        """The family of the run; the first one where it is not known."""
        search = self._history().search
        known = [entry for entry in FAMILIES.values() if search is not None and entry.module == search.family]
        return known[0] if known else next(iter(FAMILIES.values()))

    def _curve(self, trial: str) -> _Curve:
        if trial not in self._curves:
            begun = self._begun.pop(trial, None)
            draw, band = begun if begun is not None else self._recorded(trial)
            if draw is not None and not (self._folder(trial) / DRAWN).is_file():
                self._write_atomically(trial, DRAWN, lambda writer: add_hyperparameters(writer, draw, None))
            family = entry_of(draw) if draw is not None else self._family()
            base = self._history().base_loss(draw.objective) if draw is not None else None
            self._curves[trial] = _Curve(self._folder(trial), band, base, family)
        return self._curves[trial]

    def _recorded(self, trial: str) -> tuple[Draw | None, Band | None]:
        history = self._history()
        return history.drawn.get(trial), history.band_of(trial)

    def _close(self, trial: str) -> None:
        self._curves.pop(trial).writer.close()

    def _write_atomically(self, trial: str, name: str, fill: Callable[[SummaryWriter], None]) -> None:
        """Writes a file of events atomically."""
        from torch.utils.tensorboard import SummaryWriter

        self._folder(trial).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._run.path, prefix=STAGING_PREFIX) as aside:
            writer = SummaryWriter(aside)
            fill(writer)
            writer.close()
            (file,) = Path(aside).iterdir()
            file.replace(self._folder(trial) / name)


class _Curve:
    """The event file of a running trial, and its last step."""

    def __init__(self, folder: Path, band: Band | None, base: float | None, family: FamilyEntry) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.band, self.base, self.family = band, base, family
        self.last_step = _last_step(folder)
        self.writer: SummaryWriter = SummaryWriter(str(folder))


def _last_step(folder: Path) -> int:
    """The last complete step in a folder of event files; -1 without one."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    if not folder.is_dir():
        return -1
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    known = LAST_SCALAR in events.Tags()["scalars"]
    return max((event.step for event in events.Scalars(LAST_SCALAR)), default=-1) if known else -1


def _add_result(writer: SummaryWriter, outcome: Outcome, step: int) -> None:
    for name, value in metrics(outcome).items():
        writer.add_scalar(f"{RESULT}/{name}", value, step)
    writer.add_text(RESULT, outcome_in_words(outcome), step)
