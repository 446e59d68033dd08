"""TensorBoard event files, written by the search's driver while trials run: one folder per trial under RUN/tensorboard.

Every scalar stands at the trial's own optimizer step. What a folder already holds is read back when it is first
opened, so a restarted driver goes on where it was and doubles nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from results.run_folder import RunFolder
from spaces.draw import Draw
from spaces.trial import Outcome, Point
from spaces.verdict import Verdict
from trainable.trial_folder import TrialFolder

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

BASE = "base"
LAST_SCALAR = "curve"
"""Written after all others of a step: where it stands, the step is complete."""
RESULT_TEXT = "result"
"""The ending and the verdict in words; written last of all."""
METRICS = ("score", "loss", "guide", "aligned", "validation", "accepted", "epochs", "seconds")
"""What the HParams tab shows of every trial, under `result/`; a trial lacks what it never had."""


class TensorBoard:
    """The writer for one run. Not for use by two processes at once."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._open: dict[str, _Events] = {}

    def update(self, trial: str) -> None:
        """Writes the points that the trial's curve has gained."""
        events = self._events(trial)
        points = TrialFolder(self._run.trial(trial)).read_points()
        for before, point in zip([None, *points], points, strict=False):
            if point.step > events.last_step:
                for name, value in _scalars(before, point).items():
                    events.writer.add_scalar(name, value, point.step)
                events.last_step = point.step
        events.writer.flush()

    def end(self, trial: str, draw: Draw, outcome: Outcome) -> None:
        """Writes what is left of the curve, the draw as hyperparameters, the result, and the verdict as text."""
        self.update(trial)
        events = self._events(trial)
        if not events.ended:
            _add_hyperparameters(events.writer, draw)
            _add_result(events.writer, outcome)
        self._close(trial)

    def base(self, outcome: Outcome) -> None:
        """Writes row zero's result and verdict."""
        events = self._events(BASE)
        if not events.ended:
            _add_result(events.writer, outcome)
        self._close(BASE)

    def close(self) -> None:
        for trial in list(self._open):
            self._close(trial)

    def _events(self, trial: str) -> _Events:
        if trial not in self._open:
            self._open[trial] = _Events(self._run.tensorboard / trial)
        return self._open[trial]

    def _close(self, trial: str) -> None:
        self._open.pop(trial).writer.close()


class _Events:
    """One trial's folder of event files, and how far it has come."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.last_step, self.ended = _written(folder)
        self.writer: SummaryWriter = SummaryWriter(str(folder))


def _written(folder: Path) -> tuple[int, bool]:
    """The last complete step in a folder of event files, -1 without any, and whether the result stands there."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    if not folder.is_dir():
        return -1, False
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    tags = events.Tags()
    steps = [event.step for event in events.Scalars(LAST_SCALAR)] if LAST_SCALAR in tags["scalars"] else []
    return max(steps, default=-1), f"{RESULT_TEXT}/text_summary" in tags["tensors"]


def _scalars(before: Point | None, point: Point) -> dict[str, float]:
    """By tag. Speed is over the steps since the point before, so that a slow stretch shows."""
    losses = point.losses
    scalars = {
        "loss/guide": losses.guide,
        "loss/aligned": losses.aligned,
        "parts/talker": losses.talker,
        "parts/eos": losses.eos,
        "parts/sub": losses.sub,
        "parts/sub_shifted": losses.sub_shifted,
        "rate/lora": point.lora_lr,
        "rate/text_projection": point.text_projection_lr,
        "gradient/norm": point.grad_norm,
    }
    if point.validation is not None:
        scalars |= {f"validation/{name}": value for name, value in point.validation.model_dump().items()}
    if before is not None and point.seconds > before.seconds:
        audio = point.audio_seconds - before.audio_seconds
        scalars["speed/audio_seconds_per_second"] = audio / (point.seconds - before.seconds)
    return {**scalars, LAST_SCALAR: point.loss}


def _add_hyperparameters(writer: SummaryWriter, draw: Draw) -> None:
    # SummaryWriter.add_hparams opens a run of its own for them; here they belong to the trial's.
    from torch.utils.tensorboard.summary import hparams

    values = draw.model_dump(mode="json")
    for summary in hparams(values, {f"result/{metric}": 0.0 for metric in METRICS}):
        writer.file_writer.add_summary(summary)


def _add_result(writer: SummaryWriter, outcome: Outcome) -> None:
    step = outcome.point.step if outcome.point else 0
    for metric, value in _metrics(outcome).items():
        writer.add_scalar(f"result/{metric}", value, step)
    writer.add_text(RESULT_TEXT, _in_words(outcome), step)


def _metrics(outcome: Outcome) -> dict[str, float]:
    counts = outcome.judged
    metrics: dict[str, float] = {
        "accepted": float(outcome.accepted),
        "seconds": outcome.train_seconds + outcome.probe_seconds,
    }
    if outcome.verdict:
        metrics["score"] = outcome.verdict.score
    if counts:
        metrics |= {"loss": counts.loss, "guide": counts.losses.guide, "aligned": counts.losses.aligned}
    if counts and counts.validation and outcome.draw:
        metrics["validation"] = counts.validation.of(outcome.draw.objective)
    if outcome.point:
        metrics["epochs"] = outcome.point.epoch
    return metrics


def _in_words(outcome: Outcome) -> str:
    """Markdown. What a recogniser heard is data: TensorBoard strips any markup from it."""
    ending = f"**{outcome.ending}**: " if outcome.ending else ""
    return "\n\n".join([f"{ending}{outcome.reason}", *(_verdict_in_words(outcome.verdict) if outcome.verdict else ())])


def _verdict_in_words(verdict: Verdict) -> list[str]:
    judged = f"**{'accepted' if verdict.accepted else 'rejected'}**, score {verdict.score:.3f}"
    lines = [
        f"- “{line.text}”: {', '.join(line.flags) or 'nothing wrong'}"
        + (f"; heard “{line.heard}”" if line.heard is not None else "")
        for line in verdict.lines
    ]
    return [judged, *verdict.reasons, "\n".join(lines)]
