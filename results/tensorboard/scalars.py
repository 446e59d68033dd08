"""Scalars in TensorBoard: the curve of a trial, its result, its hyperparameters, and the layout of charts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from spaces.band import Band
from spaces.draw import Draw
from spaces.families import FamilyEntry, entry_of
from spaces.records.losses import BaseLosses
from spaces.records.trial import Ending, Outcome, Point

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from torch.utils.tensorboard import SummaryWriter

LAST_SCALAR = "curve"
"""Tag that is written last: a step that has it is complete."""
RESULT = "result"


def metric_names(family: FamilyEntry) -> tuple[str, ...]:
    """Metrics of the HParams tab, under `result/`; a trial may lack some."""
    return ("score", "loss", *family.objectives, "validation", "accepted", "epochs", "seconds", "gpu_seconds")


def chart_layout(family: FamilyEntry) -> dict[str, Any]:
    """Layout of the custom scalars tab."""
    charts = {
        "every curve in its band": ["Margin", [LAST_SCALAR, "band/low", "band/high"]],
        "loss of the objective, its band, and the base model": [
            "Multiline",
            [LAST_SCALAR, "band/low", "band/high", "base/loss"],
        ],
        "every objective": ["Multiline", [_loss_tag(name, family) for name in family.objectives]],
        "parts of the losses": [
            "Multiline",
            [_loss_tag(name, family) for name in family.losses if name not in family.objectives],
        ],
        "held-out clips": ["Multiline", [f"validation/{name}" for name in family.objectives]],
    }
    return {"Sweetspot": {title: chart for title, chart in charts.items() if chart[1]}}


def _loss_tag(name: str, family: FamilyEntry) -> str:
    return f"{'loss' if name in family.objectives else 'parts'}/{name}"


def base_scalars(losses: BaseLosses, family: FamilyEntry) -> dict[str, float]:
    """The base model's losses by the tags of a trial's curve; those in evaluation mode under `evaluation/`."""
    held_out = losses.held_out.root if losses.held_out else {}
    return {
        **{_loss_tag(name, family): value for name, value in losses.training.root.items()},
        **{f"validation/{name}": value for name, value in held_out.items()},
        **{f"evaluation/{name}": value for name, value in losses.evaluation.root.items()},
    }


def scalars(
    before: Point | None, point: Point, band: Band | None, base: float | None, family: FamilyEntry
) -> dict[str, float]:
    """The scalars of one step, by tag. Speed is over the steps since the previous point, so that slow periods show.

    `base` is the base model's loss of the trial's objective.
    """
    found = {
        **{_loss_tag(name, family): value for name, value in point.losses.root.items()},
        **{f"rate/{name}": rate for name, rate in point.lrs.items()},
        "gradient/norm": point.grad_norm,
    }
    if point.validation is not None:
        found |= {f"validation/{name}": value for name, value in point.validation.model_dump().items()}
    if before is not None and point.seconds > before.seconds:
        audio = point.audio_seconds - before.audio_seconds
        found["speed/audio_seconds_per_second"] = audio / (point.seconds - before.seconds)
    if band is not None:
        found |= {"band/low": band.low, "band/high": band.high}
    if base is not None:
        found["base/loss"] = base
    return {**found, LAST_SCALAR: point.loss}


def progress(point: Point, family: FamilyEntry) -> dict[str, float]:
    """The metrics of a running trial at this point."""
    return {
        **_losses(point, family),
        "epochs": point.epoch,
        "seconds": point.seconds,
        "gpu_seconds": point.gpu_seconds,
    }


def _losses(point: Point, family: FamilyEntry) -> dict[str, float]:
    """Earlier records may lack an objective."""
    return {"loss": point.loss, **{name: each for name, each in point.losses.root.items() if name in family.objectives}}


def metrics(outcome: Outcome) -> dict[str, float]:
    """The metrics of an ended trial; the losses are those of the probed checkpoint."""
    point = outcome.judged_point
    found: dict[str, float] = {
        "accepted": float(outcome.accepted),
        "seconds": outcome.train_seconds + outcome.probe_seconds,
        "gpu_seconds": outcome.gpu_seconds,
    }
    if outcome.verdict:
        found["score"] = outcome.verdict.score
    if point and outcome.draw:
        found |= _losses(point, entry_of(outcome.draw))
    if point and point.validation and outcome.draw:
        found["validation"] = point.validation[outcome.draw.objective]
    if outcome.point:
        found["epochs"] = outcome.point.epoch
    return found


def add_hyperparameters(writer: SummaryWriter, draw: Draw, outcome: Outcome | None) -> None:
    """Writes the draw; for an ended trial, its ending and its verdict too.

    An open TensorBoard keeps the first hyperparameters that it reads of a run. A running trial's therefore leave out
    ending and verdict; these columns fill when TensorBoard is restarted.
    """
    from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

    values = draw.model_dump(mode="json")
    # SummaryWriter.add_hparams would open a run of its own; these belong to the run of the trial.
    ended = {"ending": str(outcome.ending) if outcome else "", "verdict": _verdict(outcome) if outcome else ""}
    experiment, start, end = _summaries(
        {**values, **ended}, {f"{RESULT}/{name}": 0.0 for name in metric_names(entry_of(draw))}
    )
    file_writer = cast(_FileWriter, writer.file_writer)
    file_writer.add_summary(experiment)
    if outcome is None:
        file_writer.add_summary(_summaries(values, {})[1])
        return
    file_writer.add_summary(start)
    if outcome.ending in (Ending.FAILED, Ending.CANCELLED):
        plugin = end.value[0].metadata.plugin_data
        content = plugin_data_pb2.HParamsPluginData.FromString(plugin.content)
        content.session_end_info.status = api_pb2.STATUS_FAILURE
        plugin.content = content.SerializeToString()
    file_writer.add_summary(end)


class _FileWriter(Protocol):
    """What `SummaryWriter.file_writer` offers."""

    def add_summary(self, summary: Summary) -> None: ...


def _summaries(values: dict[str, Any], metrics: dict[str, float]) -> tuple[Summary, Summary, Summary]:
    """The summaries of an experiment, of its session's start and of its end."""
    from torch.utils.tensorboard.summary import hparams

    experiment, start, end = hparams(values, metrics)  # type: ignore[no-untyped-call]
    return experiment, start, end


def _verdict(outcome: Outcome) -> str:
    if outcome.verdict is None:
        return "not probed"
    flags = ", ".join(flag for flag, count in outcome.verdict.flags.items() if count)
    return ("accepted" if outcome.accepted else "rejected") + (f": {flags}" if flags else "")
