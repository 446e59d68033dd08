"""What a search would take, reckoned from the dataset and a few tabled figures. Pure; every answer is a range."""

from __future__ import annotations

import math
from dataclasses import dataclass

from search.planning import cost_table
from search.planning.cost_table import GpuModel, Range
from search.planning.execution_mode import ExecutionMode
from search.planning.layout import MOST_SEATS
from search.planning.resources import TRIALS_TO_LEARN_FROM
from spaces.records.pack_shape import PackShape
from spaces.space import Space
from trainable.dataset.split import DatasetSplit
from trainable.family.model_size import ModelSize
from trainable.probe.texts.lines import lines_for


@dataclass(frozen=True)
class SearchWork:
    """What a search has to do, whatever it runs on."""

    epoch_clips: int
    clip_seconds: float
    """Mean of the clips that are trained on."""
    longest_seconds: float
    audio_seconds: float
    """Of all clips that are prepared."""
    letters_per_second: float
    epochs: Range
    """The shortest and the longest horizon that a draw may have; most trials end in the band, before it."""
    batch: int
    line_letters: tuple[int, ...]
    """Of the lines that every trial speaks, the screening ones first."""
    trials: int
    finalists: int
    most_seats: int
    """At once on one bench, whatever the memory holds."""
    judging: Range
    """Seconds of listening per second of speech."""

    @property
    def passes_per_epoch(self) -> int:
        """Forward and backward, of one trial."""
        return math.ceil(self.epoch_clips / self.batch)

    @property
    def spoken_seconds(self) -> Range:
        """Of all lines of a trial together."""
        return cost_table.LINE_SECONDS.times(sum(self.line_letters) / self.letters_per_second)


@dataclass(frozen=True)
class GpuForecast:
    """A search on one card of a class."""

    card: GpuModel
    seats: Range
    """Trials side by side: how many surely, and how many at best; 0 where not one may fit."""
    seat_bytes: Range
    trial_seconds: Range
    """Of one trial among as many neighbours as there are seats."""
    search_seconds: Range

    @property
    def fits(self) -> bool:
        return self.seats.high >= 1


@dataclass(frozen=True)
class DiskForecast:
    """Bytes on disk."""

    once: Range
    """Prepared data and the export."""
    running: Range
    """Of a trial while it trains."""
    ended: Range
    """Of a trial from then on."""
    at_once: int
    trials: int

    @property
    def one_trial(self) -> Range:
        """What the first trial needs."""
        return self.once.plus(self.running)

    @property
    def whole(self) -> Range:
        return self.once.plus(self.ended.times(self.trials)).plus(self.running.times(self.at_once))


def search_work(space: Space, split: DatasetSplit, mode: ExecutionMode, trials: int) -> SearchWork:
    """What a search of so many trials has to do."""
    entries = split.entries
    seconds = sum(entry.seconds for entry in entries)
    return SearchWork(
        epoch_clips=split.epoch_size,
        clip_seconds=seconds / len(entries),
        longest_seconds=max(entry.seconds for entry in entries),
        audio_seconds=seconds,
        letters_per_second=max(1.0, sum(len(entry.text) for entry in entries) / seconds),
        epochs=Range(*space.bounds("epochs")),
        batch=PackShape.from_space(space).batch,
        line_letters=tuple(len(line.text) for line in lines_for(space.probe.lines, split)),
        trials=trials,
        finalists=space.probe.finalists,
        most_seats=1 if mode.isolate else mode.seats or min(MOST_SEATS, math.ceil(trials / TRIALS_TO_LEARN_FROM)),
        judging=cost_table.JUDGING.plus(
            Range(0.0, 0.0) if space.probe.recogniser == "none" else cost_table.RECOGNISING
        ),
    )


def forecast_gpu(work: SearchWork, size: ModelSize, card: GpuModel) -> GpuForecast:
    """The search on one such card. More of them share the trials."""
    seat = seat_bytes(work, size, card)
    seats = seats_that_fit(work, size, card)
    # Whatever fits at best is what is reckoned with; where not one fits, the figures are of one.
    at_most, at_least = max(1, int(seats.high)), max(1, int(seats.low))
    epoch = Range(
        work.passes_per_epoch * _pass_seconds(work, size, card, at_most).low,
        work.passes_per_epoch * _pass_seconds(work, size, card, at_least).high,
    )
    probe = probe_seconds(work, size, card)
    # Horizons are drawn from all of their domain, so the mean of many trials is not at its upper end.
    mean = Range(work.epochs.low, (work.epochs.low + work.epochs.high) / 2)
    per_trial = Range((mean.low * epoch.low + probe.low) / at_most, mean.high * epoch.high / at_least + probe.high)
    finals = probe.times(cost_table.FINALIST_HEARINGS * (1 + work.finalists))
    once = cost_table.LOADING.plus(cost_table.ENCODING.times(work.audio_seconds)).plus(probe).plus(finals)
    trial = epoch.times(work.epochs).plus(probe)
    return GpuForecast(card, seats, seat, trial, per_trial.times(work.trials).plus(once))


def seat_bytes(work: SearchWork, size: ModelSize, card: GpuModel) -> Range:
    """What one seat takes, as a bench reckons it: its numbers, and one pass over the longest clips."""
    positions, frames = _positions(work, work.longest_seconds), work.longest_seconds * cost_table.FRAMES_PER_SECOND
    units = positions.times(size.position_activations).plus(frames * size.frame_activations).times(work.batch)
    wide = 1.0 if card.is_gpu else 2.0
    return (
        units.times(cost_table.UNIT_BYTES)
        .times(wide * cost_table.MARGIN)
        .plus(cost_table.SEAT_NUMBER_BYTES * size.seat_parameters)
    )


def seats_that_fit(work: SearchWork, size: ModelSize, card: GpuModel) -> Range:
    """How many seats the card's memory holds: with the unfavourable figures, and with the favourable ones."""
    seat = seat_bytes(work, size, card)
    width = 2.0 if card.is_gpu else 4.0
    base = Range(1.0, 1.0).times(width * size.parameters + size.codec_bytes)
    free = [
        cost_table.GPU_SHARE * (card.memory - taken)
        for taken in base.plus(cost_table.CONTEXT_BYTES if card.is_gpu else 1e9)
    ]
    least, most = free[1] // seat.high, free[0] // seat.low
    return Range(*(float(max(0, min(work.most_seats, count))) for count in (least, most)))


def probe_seconds(work: SearchWork, size: ModelSize, card: GpuModel) -> Range:
    """Speaking and listening for one trial. All lines of a set are spoken together, as long as the longest takes; the
    first few screen."""
    longest = max(work.line_letters) / work.letters_per_second * cost_table.FRAMES_PER_SECOND
    calls = cost_table.OPERATIONS_PER_LAYER.times(cost_table.SPEAKING_SHARE).times(size.frame_layers)
    lines = len(work.line_letters)
    flops = lines * (size.position_flops + size.frame_flops) / 2
    frame = calls.times(card.call_seconds).plus(Range(flops / card.flops.low, flops / card.flops.high))
    speaking = cost_table.LINE_SECONDS.times(longest).times(frame).times(cost_table.SETS)
    return speaking.plus(work.spoken_seconds.times(work.judging))


def forecast_disk(work: SearchWork, size: ModelSize) -> DiskForecast:
    """What a run folder grows to, and the cache beside it."""
    weights = 4 * size.checkpoint_parameters
    recordings = work.spoken_seconds.times(cost_table.WAVE_BYTES).times(Range(0.3, 1.0))
    kept = recordings.plus(cost_table.BOOKKEEPING_BYTES).plus(weights)
    finals = recordings.times(cost_table.FINALIST_HEARINGS * (1 + work.finalists))
    prepared = cost_table.CODE_BYTES.times(work.audio_seconds)
    return DiskForecast(
        once=prepared.plus(finals).plus(weights),
        # Weights and two moments, and the same once more while the next checkpoint is written.
        running=kept.plus(2 * 8 * size.seat_parameters + weights),
        ended=kept,
        at_once=min(work.most_seats, work.trials),
        trials=work.trials,
    )


def _positions(work: SearchWork, seconds: float) -> Range:
    text = cost_table.TOKENS_PER_CHARACTER.times(work.letters_per_second * seconds)
    return text.plus(cost_table.PROMPT_POSITIONS + seconds * cost_table.FRAMES_PER_SECOND)


def _pass_seconds(work: SearchWork, size: ModelSize, card: GpuModel, seats: int) -> Range:
    """One pass for so many seats. At best a GPU computes while the next operations are launched."""
    frames = work.clip_seconds * cost_table.FRAMES_PER_SECOND
    flops = _positions(work, work.clip_seconds).times(size.position_flops).plus(frames * size.frame_flops)
    flops = flops.times(work.batch * seats)
    computing = Range(flops.low / card.flops.low, flops.high / card.flops.high)
    calling = cost_table.OPERATIONS_PER_LAYER.times(size.layers).times(card.call_seconds)
    best = max(computing.low, calling.low) if card.is_gpu else computing.low + calling.low
    return Range(best, computing.high + calling.high).times(cost_table.EXTRA)
