"""Estimates what a search takes, from the dataset and the numbers of `cost_table`. Pure; each estimate is a range."""

import math
from dataclasses import dataclass

from search.planning import cost_table
from search.planning.cost_table import GpuModel, Range
from search.planning.execution_mode import ExecutionMode
from search.planning.layout import MAX_SEATS
from search.planning.resources import LEARNING_ROUNDS
from spaces.space import Space
from trainable.dataset.split import DatasetSplit
from trainable.family.model_size import ModelSize
from trainable.probe.texts.lines import lines_for
from trainable.speech.background.memory import gpu_bytes


@dataclass(frozen=True)
class SearchWork:
    """What a search has to do, independent of the hardware."""

    epoch_clips: int
    clip_seconds: float
    """Mean duration of a clip."""
    longest_seconds: float
    audio_seconds: float
    """Duration of all clips that are prepared."""
    letters_per_second: float
    epochs: Range
    """The fewest and the most epochs that a draw may have; most trials end earlier, in the band."""
    batch: int
    line_letters: tuple[int, ...]
    """Length of each line that a trial speaks, the screening lines first."""
    trials: int
    finalists: int
    max_seats: int
    """Of one bench, before the memory is considered."""
    judging: Range
    """Seconds of judging per second of speech."""
    recogniser_bytes: float = 0.0
    """On a GPU, beside the model."""

    @property
    def passes_per_epoch(self) -> int:
        """Forward and backward passes of one trial."""
        return math.ceil(self.epoch_clips / self.batch)

    @property
    def spoken_seconds(self) -> Range:
        """Duration of all lines of a trial together."""
        return cost_table.LINE_SECONDS.times(sum(self.line_letters) / self.letters_per_second)


@dataclass(frozen=True)
class GpuForecast:
    """A search on one GPU of a class."""

    gpu: GpuModel
    seats: Range
    """Trials side by side, in the worst and in the best case; 0 if not even one may fit."""
    seat_bytes: Range
    trial_seconds: Range
    """Of one trial while all seats are taken."""
    search_seconds: Range

    @property
    def fits(self) -> bool:
        return self.seats.high >= 1


@dataclass(frozen=True)
class DiskForecast:
    """Bytes on disk."""

    once: Range
    """Prepared data, confirmations and the export."""
    running: Range
    """Per trial while it trains."""
    ended: Range
    """Per trial after it has ended."""
    at_once: int
    trials: int

    @property
    def one_trial(self) -> Range:
        """What a search with one trial needs."""
        return self.once.plus(self.running)

    @property
    def whole(self) -> Range:
        return self.once.plus(self.ended.times(self.trials)).plus(self.running.times(self.at_once))


def search_work(space: Space, split: DatasetSplit, mode: ExecutionMode, trials: int) -> SearchWork:
    entries = split.entries
    seconds = sum(entry.seconds for entry in entries)
    return SearchWork(
        epoch_clips=split.epoch_size,
        clip_seconds=seconds / len(entries),
        longest_seconds=max(entry.seconds for entry in entries),
        audio_seconds=seconds,
        letters_per_second=max(1.0, sum(len(entry.text) for entry in entries) / seconds),
        epochs=Range(*space.bounds("epochs")),
        batch=int(space.bounds("batch")[0]),
        line_letters=tuple(len(line.text) for line in lines_for(space.probe.lines, split)),
        trials=trials,
        finalists=space.probe.finalists,
        max_seats=1 if mode.isolate else mode.seats or min(MAX_SEATS, math.ceil(trials / LEARNING_ROUNDS)),
        judging=cost_table.JUDGING.plus(
            Range(0.0, 0.0) if space.probe.recogniser == "none" else cost_table.RECOGNISING
        ),
        recogniser_bytes=gpu_bytes(space.probe.recogniser),
    )


def forecast_gpu(work: SearchWork, size: ModelSize, gpu: GpuModel) -> GpuForecast:
    """The search on one such GPU. Several of them would share the trials."""
    seat = seat_bytes(work, size, gpu)
    seats = seats_that_fit(work, size, gpu)
    # If no seat fits, the estimate is for one.
    most, fewest = max(1, int(seats.high)), max(1, int(seats.low))
    epoch = Range(
        work.passes_per_epoch * _pass_seconds(work, size, gpu, most).low,
        work.passes_per_epoch * _pass_seconds(work, size, gpu, fewest).high,
    )
    probe = probe_seconds(work, size, gpu)
    # Epochs are drawn from their whole domain, so the mean of many trials is below its upper end.
    mean = Range(work.epochs.low, (work.epochs.low + work.epochs.high) / 2)
    per_trial = Range((mean.low * epoch.low + probe.low) / most, mean.high * epoch.high / fewest + probe.high)
    confirmations = probe.times(cost_table.FINALIST_PROBES * (1 + work.finalists))
    once = cost_table.LOADING.plus(cost_table.ENCODING.times(work.audio_seconds)).plus(probe).plus(confirmations)
    trial = epoch.times(work.epochs).plus(probe)
    return GpuForecast(gpu, seats, seat, trial, per_trial.times(work.trials).plus(once))


def seat_bytes(work: SearchWork, size: ModelSize, gpu: GpuModel) -> Range:
    """Memory of one seat, as a bench estimates it: its parameters, and one pass over the longest clips."""
    positions, frames = _positions(work, work.longest_seconds), work.longest_seconds * cost_table.FRAMES_PER_SECOND
    units = positions.times(size.position_activations).plus(frames * size.frame_activations).times(work.batch)
    precision = 1.0 if gpu.is_gpu else 2.0
    activations = units.times(cost_table.UNIT_BYTES).times(precision * cost_table.UNIT_BYTES_MARGIN)
    return activations.plus(cost_table.BYTES_PER_PARAMETER * size.seat_parameters)


def seats_that_fit(work: SearchWork, size: ModelSize, gpu: GpuModel) -> Range:
    """How many seats the GPU's memory holds, in the worst and in the best case."""
    seat = seat_bytes(work, size, gpu)
    bytes_per_number = 2.0 if gpu.is_gpu else 4.0
    base = Range(1.0, 1.0).times(bytes_per_number * size.parameters + size.codec_bytes)
    free = [
        cost_table.GPU_SHARE * (gpu.memory - taken)
        for taken in base.plus(cost_table.CONTEXT_BYTES.plus(work.recogniser_bytes) if gpu.is_gpu else 1e9)
    ]
    least, most = free[1] // seat.high, free[0] // seat.low
    return Range(*(float(max(0, min(work.max_seats, count))) for count in (least, most)))


def probe_seconds(work: SearchWork, size: ModelSize, gpu: GpuModel) -> Range:
    """Speech synthesis and judging for one trial. A set of lines is spoken in one batch, which takes as long as its
    longest line; the first set is the screening lines."""
    longest = max(work.line_letters) / work.letters_per_second * cost_table.FRAMES_PER_SECOND
    calls = cost_table.OPERATIONS_PER_LAYER.times(cost_table.SPEECH_OPERATIONS_SHARE).times(size.frame_layers)
    lines = len(work.line_letters)
    flops = lines * (size.position_flops + size.frame_flops) / 2
    frame = calls.times(gpu.call_seconds).plus(Range(flops / gpu.flops.low, flops / gpu.flops.high))
    speaking = cost_table.LINE_SECONDS.times(longest).times(frame).times(cost_table.LINE_SETS)
    return speaking.plus(work.spoken_seconds.times(work.judging))


def forecast_disk(work: SearchWork, size: ModelSize) -> DiskForecast:
    """What the run folder and the cache grow to."""
    weights = 4 * size.checkpoint_parameters
    recordings = work.spoken_seconds.times(cost_table.WAVE_BYTES).times(Range(0.3, 1.0))
    kept = recordings.plus(cost_table.BOOKKEEPING_BYTES).plus(weights)
    confirmations = recordings.times(cost_table.FINALIST_PROBES * (1 + work.finalists))
    prepared = cost_table.CODE_BYTES.times(work.audio_seconds)
    return DiskForecast(
        once=prepared.plus(confirmations).plus(weights),
        # Weights and two moments, twice: the next checkpoint is written before the last one is deleted.
        running=kept.plus(2 * 8 * size.seat_parameters + weights),
        ended=kept,
        at_once=min(work.max_seats, work.trials),
        trials=work.trials,
    )


def _positions(work: SearchWork, seconds: float) -> Range:
    text = cost_table.TOKENS_PER_CHARACTER.times(work.letters_per_second * seconds)
    return text.plus(cost_table.PROMPT_POSITIONS + seconds * cost_table.FRAMES_PER_SECOND)


def _pass_seconds(work: SearchWork, size: ModelSize, gpu: GpuModel, seats: int) -> Range:
    """One pass for `seats` seats. At best a GPU computes while the next operations are launched."""
    frames = work.clip_seconds * cost_table.FRAMES_PER_SECOND
    flops = _positions(work, work.clip_seconds).times(size.position_flops).plus(frames * size.frame_flops)
    flops = flops.times(work.batch * seats)
    computing = Range(flops.low / gpu.flops.low, flops.high / gpu.flops.high)
    calling = cost_table.OPERATIONS_PER_LAYER.times(size.layers).times(gpu.call_seconds)
    best = max(computing.low, calling.low) if gpu.is_gpu else computing.low + calling.low
    return Range(best, computing.high + calling.high).times(cost_table.PASS_OVERHEAD)
