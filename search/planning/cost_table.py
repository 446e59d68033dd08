"""The numbers that a forecast is computed from, each as the range in which it was measured, counted or published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

GB = 1e9


class Range(NamedTuple):
    """From the favourable end to the unfavourable one. Arithmetic keeps the ends apart."""

    low: float
    high: float

    def plus(self, other: Range | float) -> Range:
        return Range(self.low + _low(other), self.high + _high(other))

    def times(self, other: Range | float) -> Range:
        return Range(self.low * _low(other), self.high * _high(other))


@dataclass(frozen=True)
class GpuModel:
    """A GPU or a class of GPUs, or the CPU, that models are trained on."""

    name: str
    memory: float
    """Bytes; for a CPU, the machine's main memory."""
    flops: Range
    """Floating point operations per second that a pass reaches, the fast end first."""
    call_seconds: Range
    """Overhead of one operation, whatever it computes."""
    is_gpu: bool = True
    examples: str = ""
    """GPUs at the slow and the fast end of the class."""


GPU_CALL_SECONDS = Range(4e-6, 9e-6)
"""Launching one kernel from Python; depends on the host."""
REACHED_SHARE = Range(0.5, 0.3)
"""Share of a GPU's peak that a pass of a few hundred to a few thousand rows reaches."""


def _gpu(gigabytes: int, fastest: float, slowest: float, examples: str) -> GpuModel:
    """Peaks in TFLOP/s: bfloat16 without sparsity, accumulated in float32, from the makers' data sheets."""
    flops = Range(fastest * REACHED_SHARE.low * 1e12, slowest * REACHED_SHARE.high * 1e12)
    return GpuModel(f"{gigabytes} GB", gigabytes * GB, flops, GPU_CALL_SECONDS, examples=examples)


GPU_CLASSES = (
    _gpu(12, 58, 25, "from an RTX 3060 to an RTX 4070"),
    _gpu(24, 165, 71, "from an RTX 3090 to an RTX 4090"),
    _gpu(48, 362, 155, "from an RTX A6000 to an L40S"),
    _gpu(80, 989, 312, "from an A100 to an H100"),
)
CPU = GpuModel("CPU, one core", 8 * GB, Range(20e9, 8e9), Range(5e-6, 20e-6), is_gpu=False)
"""Measured: 13 GFLOP/s on the demo voice, 9 to 20 µs per operation of a small model."""
MAX_CPU_PARAMETERS = 50e6
"""A search over a larger model is not practical on a CPU."""

OPERATIONS_PER_LAYER = Range(210.0, 250.0)
"""Of a training pass of a pack, whatever the number of its seats: 7039 and 7922 counted for 33 layers."""
SPEECH_OPERATIONS_SHARE = Range(0.3, 0.45)
"""Share of those that a layer runs for speech synthesis, forward only: 3838 of 9037 operations."""
UNIT_BYTES = Range(40.0, 60.0)
"""Kept for the backward pass per unit of width, layer and position, with two bytes per number: 92 measured on the demo
voice with four bytes, 41 to 54 estimated for the 1.7B model."""
UNIT_BYTES_MARGIN = 1.5
"""Factor by which a bench overestimates `UNIT_BYTES`."""
BYTES_PER_PARAMETER = 18.0
"""Of an adapter: weight, gradient and two moments in float32, and a copy of the weight in the base model's type."""
CONTEXT_BYTES = Range(0.5e9, 2.0e9)
"""The CUDA context, libraries, and speech synthesis."""
GPU_SHARE = 0.9
"""Share of the free memory that a bench uses."""

TOKENS_PER_CHARACTER = Range(0.2, 0.7)
PROMPT_POSITIONS = 12
FRAMES_PER_SECOND = 12.5
PASS_OVERHEAD = Range(1.05, 1.35)
"""Factor on the passes for the optimizer, the loss of the held-out clips, and checkpoints."""
JUDGING, RECOGNISING = Range(0.006, 0.05), Range(0.05, 0.4)
"""Seconds per second of speech for the measures of the probe, and for its recogniser."""
LINE_SETS = Range(1.2, 1.8)
"""Lines are spoken in two sets, one after the other, and each takes as long as its longest line."""
LINE_SECONDS = Range(0.8, 1.6)
"""Duration of a spoken line over what the voice's own rate of speech predicts: some adapters do not stop in time."""
LOADING = Range(15.0, 120.0)
"""Seconds, once per search: Ray, imports and the model."""
ENCODING = Range(1 / 100, 1 / 8)
"""Seconds per second of audio through the codec, once per dataset."""

WAVE_BYTES = 48_000.0
"""Per second of a recording: 24 kHz, 16 bit."""
CODE_BYTES = Range(400.0, 1600.0)
"""Of prepared data per second of audio: 16 codes of 2 bytes per frame, and as many again in the cache."""
BOOKKEEPING_BYTES = Range(0.2e6, 5e6)
"""Per trial: its curve, TensorBoard and Ray's files."""
FINALIST_PROBES = 4.5
"""Lines that a finalist speaks at lower strengths and for its confirmation, in multiples of the lines of a trial."""


def _low(value: Range | float) -> float:
    return value.low if isinstance(value, Range) else value


def _high(value: Range | float) -> float:
    return value.high if isinstance(value, Range) else value
