"""TensorBoard event files, written by the search's driver while trials run: one folder per trial under RUN/tensorboard.

Every scalar stands at the trial's own optimizer step. What a folder already holds is read back when it is first
opened, so a restarted driver goes on where it was and doubles nothing. What is known of a trial's draw, end and
confirmation lies in a file each, whole or not at all.
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
from results.tensorboard.scalars import LAST_SCALAR, LAYOUT, RESULT, add_hyperparameters, metrics, progress, scalars
from results.tensorboard.text import confirmation_in_words, outcome_in_words
from spaces.band import Band
from spaces.draw import Draw
from spaces.records.confirmation import Confirmation
from spaces.records.trial import BASE, Outcome
from trainable.files.trial_folder import TrialFolder

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

DRAWN = "events.out.tfevents.0.drawn"
ENDED = f"events.out.tfevents.{'9' * 10}.ended"
CONFIRMED = f"events.out.tfevents.{'9' * 11}.final"
"""TensorBoard reads a folder's files in the order of their names, and never goes back to an earlier one."""
STAGING_PREFIX = ".tensorboard."
"""What a file is called, in the run's folder, while it is written."""
MAX_RECORDINGS = 6
"""Lines of a trial that can be heard; of the base model all of them. The rest lies in the trial's folder."""


class TensorBoardWriter:
    """The writer for one run. Not for use by two processes at once."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._open: dict[str, _Curve] = {}
        self._drawn: dict[str, tuple[Draw, Band]] = {}
        """Of trials that have not begun."""
        # An earlier writer was killed.
        for aside in run.path.glob(f"{STAGING_PREFIX}*"):
            shutil.rmtree(aside, ignore_errors=True)

    def begin_trial(self, trial: str, draw: Draw, band: Band) -> None:
        """A trial is about to begin; `band` judges it. One of which nothing was said is looked up in the ledger."""
        self._drawn[trial] = draw, band

    def update_trial(self, trial: str) -> None:
        """Writes the points that the trial's curve has gained."""
        if self._is_ended(trial):
            return
        curve = self._curve(trial)
        points = TrialFolder(self._run.trial(trial)).read_points()
        known = curve.last_step
        for before, point in zip([None, *points], points, strict=False):
            if point.step > curve.last_step:
                for name, value in scalars(before, point, curve.band).items():
                    curve.writer.add_scalar(name, value, point.step)
                curve.last_step = point.step
        if curve.last_step > known:
            for name, value in progress(points[-1]).items():
                curve.writer.add_scalar(f"{RESULT}/{name}", value, points[-1].step)
        curve.writer.flush()

    def end_trial(self, trial: str, draw: Draw, outcome: Outcome) -> None:
        """Writes what is left of the curve; then, once, the draw with how it ended as hyperparameters, the result, the
        verdict as text and what was spoken."""
        if self._is_ended(trial):
            return
        self.update_trial(trial)
        # One step after the curve, so that it is the last that is said of each.
        step = self._curve(trial).last_step + 1
        self._close(trial)

        def fill(writer: SummaryWriter) -> None:
            add_hyperparameters(writer, draw, outcome)
            _add_result(writer, outcome, step)
            if outcome.verdict:
                add_lines(writer, self._run.trial(trial), outcome.verdict.lines[:MAX_RECORDINGS], step)

        # The first word on hyperparameters is the one that TensorBoard believes.
        (self._folder(trial) / DRAWN).unlink(missing_ok=True)
        self._write_whole(trial, ENDED, fill)

    def add_base(self, outcome: Outcome) -> None:
        """Writes, once, row zero's result and verdict, what it said beside the voice's own recordings, and how curves
        are laid out."""
        if self._is_ended(BASE):
            return
        lines = outcome.verdict.lines if outcome.verdict else ()
        own = find_recordings(self._history(), [line.text for line in lines])

        def fill(writer: SummaryWriter) -> None:
            writer.add_custom_scalars(LAYOUT)
            _add_result(writer, outcome, 0)
            add_lines(writer, self._run.base, lines, 0)
            add_voice(writer, lines, own)

        self._write_whole(BASE, ENDED, fill)

    def add_confirmation(self, final: Confirmation) -> None:
        """Writes, once, what was heard of a finalist, or of the base model beside them."""
        if (self._folder(final.trial) / CONFIRMED).is_file():
            return
        folder = self._run.base if final.trial == BASE else self._run.trial(final.trial)

        def fill(writer: SummaryWriter) -> None:
            heard = final.confirmed
            writer.add_scalar("final/accepted", float(final.accepted), 0)
            if heard:
                writer.add_scalar("final/score", heard.score, 0)
                writer.add_scalar("final/strength", heard.strength, 0)
                add_lines(writer, folder, heard.lines[:MAX_RECORDINGS], 0, "final")
            writer.add_text("final", confirmation_in_words(final), 0)

        self._write_whole(final.trial, CONFIRMED, fill)

    def close(self) -> None:
        for trial in list(self._open):
            self._close(trial)

    def _folder(self, trial: str) -> Path:
        return self._run.tensorboard / trial

    def _is_ended(self, trial: str) -> bool:
        return (self._folder(trial) / ENDED).is_file()

    def _history(self) -> History:
        return read_ledger(self._run.ledger) if self._run.ledger.is_file() else History()

    def _curve(self, trial: str) -> _Curve:
        if trial not in self._open:
            draw, band = self._drawn.pop(trial, None) or self._recorded(trial)
            if draw is not None and not (self._folder(trial) / DRAWN).is_file():
                self._write_whole(trial, DRAWN, lambda writer: add_hyperparameters(writer, draw, None))
            self._open[trial] = _Curve(self._folder(trial), band)
        return self._open[trial]

    def _recorded(self, trial: str) -> tuple[Draw | None, Band | None]:
        history = self._history()
        return history.drawn.get(trial), history.band_of(trial)

    def _close(self, trial: str) -> None:
        self._open.pop(trial).writer.close()

    def _write_whole(self, trial: str, name: str, fill: Callable[[SummaryWriter], None]) -> None:
        """A file of events of which a reader sees all or nothing."""
        from torch.utils.tensorboard import SummaryWriter

        self._folder(trial).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._run.path, prefix=STAGING_PREFIX) as aside:
            writer = SummaryWriter(aside)
            fill(writer)
            writer.close()
            (file,) = Path(aside).iterdir()
            file.replace(self._folder(trial) / name)


class _Curve:
    """One trial's events while it runs, and how far they have come."""

    def __init__(self, folder: Path, band: Band | None) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.band = band
        self.last_step = _last_step(folder)
        self.writer: SummaryWriter = SummaryWriter(str(folder))


def _last_step(folder: Path) -> int:
    """The last complete step in a folder of event files, -1 without any."""
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
