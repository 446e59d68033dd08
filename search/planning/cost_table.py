"""Figures that a forecast rests on, each as the range within which it was measured, counted or published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

GB = 1e9


class Range(NamedTuple):
    """From the favourable end to the unfavourable one; arithmetic keeps the ends apart."""

    low: float
    high: float

    def plus(self, other: Range | float) -> Range:
        return Range(self.low + _low(other), self.high + _high(other))

    def times(self, other: Range | float) -> Range:
        return Range(self.low * _low(other), self.high * _high(other))


@dataclass(frozen=True)
class GpuModel:
    """What models are trained on: a GPU of a class, or the CPU."""

    name: str
    memory: float
    """Bytes; for a CPU, the machine's."""
    flops: Range
    """Per second that a pass reaches, the fast end first."""
    call_seconds: Range
    """Of one operation, whatever it computes."""
    is_gpu: bool = True
    examples: str = ""
    """From which to which of its class."""


GPU_CALLS = Range(4e-6, 9e-6)
"""Launching one kernel from Python, by host."""
REACHED = Range(0.5, 0.3)
"""Share of a card's peak that a pass of a few hundred to a few thousand rows reaches."""


def _gpu(gigabytes: int, fastest: float, slowest: float, examples: str) -> GpuModel:
    """Peaks in TFLOP/s, bfloat16 without sparsity, summed in float32, from the makers' data sheets."""
    flops = Range(fastest * REACHED.low * 1e12, slowest * REACHED.high * 1e12)
    return GpuModel(f"{gigabytes} GB", gigabytes * GB, flops, GPU_CALLS, examples=examples)


GPU_CLASSES = (
    _gpu(12, 58, 25, "from an RTX 3060 to an RTX 4070"),
    _gpu(24, 165, 71, "from an RTX 3090 to an RTX 4090"),
    _gpu(48, 362, 155, "from an RTX A6000 to an L40S"),
    _gpu(80, 989, 312, "from an A100 to an H100"),
)
CPU = GpuModel("CPU, one core", 8 * GB, Range(20e9, 8e9), Range(5e-6, 20e-6), is_gpu=False)
"""Seen: 13 GFLOP/s on the demo voice, 9 to 20 µs per operation of a small model."""
LARGEST_ON_A_CPU = 50e6
"""Parameters beyond which a search on a CPU is no plan."""

OPERATIONS_PER_LAYER = Range(210.0, 250.0)
"""Of a training pass of a pack, whatever the number of its seats: 7039 and 7922 counted for 33 layers."""
SPEAKING_SHARE = Range(0.3, 0.45)
"""Of those, in a layer that speaks: forward alone, 3838 of 9037 operations."""
UNIT_BYTES = Range(40.0, 60.0)
"""Kept per unit of width, layer and position for a backward pass in two bytes a number: 92 measured on the demo voice
in four, 41 to 54 estimated for the 1.7B model."""
MARGIN = 1.5
"""What a bench allows itself over that."""
SEAT_NUMBER_BYTES = 18.0
"""Weight, gradient and two moments in float32, and a copy of the weight in the base's type."""
CONTEXT_BYTES = Range(0.5e9, 2.0e9)
"""CUDA's own, libraries, and speaking."""
GPU_SHARE = 0.9

TOKENS_PER_CHARACTER = Range(0.2, 0.7)
PROMPT_POSITIONS = 12
FRAMES_PER_SECOND = 12.5
EXTRA = Range(1.05, 1.35)
"""Over the passes: optimizer, the loss of the held-out clips, checkpoints."""
JUDGING, RECOGNISING = Range(0.006, 0.05), Range(0.05, 0.4)
"""Seconds of listening per second of speech, and those that a recogniser adds."""
SETS = Range(1.2, 1.8)
"""Lines are spoken in two sets, one after the other, and each takes as long as its longest line."""
LINE_SECONDS = Range(0.8, 1.6)
"""Of a spoken line, times what the voice's own rate of speech makes of its letters: some adapters talk on."""
LOADING = Range(15.0, 120.0)
"""Ray, imports and the model, seconds once."""
ENCODING = Range(1 / 100, 1 / 8)
"""Seconds per second of audio through the codec, once per dataset."""

WAVE_BYTES = 48_000.0
"""Of a second of recording: 24 kHz, 16 bit."""
CODE_BYTES = Range(400.0, 1600.0)
"""Of prepared data per second of audio: 16 codes of 2 bytes a frame, and as many again in the cache."""
BOOKKEEPING_BYTES = Range(0.2e6, 5e6)
"""Curve, TensorBoard and Ray's notes, per trial."""
FINALIST_HEARINGS = 4.5
"""Lines that a finalist speaks at lower strengths and for the confirmation, in multiples of a trial's."""


def _low(value: Range | float) -> float:
    return value.low if isinstance(value, Range) else value


def _high(value: Range | float) -> float:
    return value.high if isinstance(value, Range) else value
