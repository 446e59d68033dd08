"""DNSMOS: speech quality predicted by networks that were trained on listeners' opinion scores of noisy speech."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trainable.speech.activity import FRAME_SECONDS, active_frames, frame_levels, sanitize
from trainable.speech.audio import SAMPLE_RATE, resample

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

RATE = 16_000
"""Hz; the input rate of the networks."""
WINDOW = 144_160
"""Samples at 16 kHz, the input length of the networks: 9.01 s."""
MIN_SECONDS, MIN_SPEECH_SECONDS = 1.0, 0.5
"""Shorter clips, or clips with less speech, get no score."""
SPEECH_DBFS = -26.0
"""Level to which speech is scaled, the nominal one of ITU-T P.56. Without it, a line of the demo voice scores 2.5
and 3.1 at a tenth of the amplitude: a quiet voice would score higher."""
OVERALL = (-0.06766283, 1.11546468, 0.04602535)
"""Coefficients of the polynomial from the network's third output to the score, the library's `get_polyfit_val`."""


def overall_quality(wave: np.ndarray) -> float | None:
    """P.835 OVRL, a mean opinion score from 1 to 5, of [samples] float32 at 24 kHz (Reddy, Gopal and Cutler 2022).

    None for a clip under 1 s or with less than half a second of speech. It compares clips of one voice only: one clean
    synthetic voice has 2.4, and gibberish in a clear voice scores no lower than its sentences. So it is part of the
    score and never a reason to reject.

    Equal audio gives equal scores, at any level that is not clipped. Samples beyond full scale are clipped, those that
    are not finite become 0, and only the first three minutes count. Takes about 0.25 s of one core per 9 s of audio,
    and as much for a shorter clip.

    The networks take 9.01 s; a shorter clip is repeated. Their library uses a hop of 1 s and averages, which for 15 s
    costs seven times as much. Here the number of windows is the clip's length in windows, rounded, and they are spread
    evenly from its start to its end. Of 40 recordings of 10 to 30 s of eight synthetic voices, half differ by less than
    0.06 from the library's average at the same level, nine in ten by less than 0.24, and the worst by 0.36.
    """
    wave = np.clip(sanitize(wave), -1.0, 1.0)
    if wave.size < MIN_SECONDS * SAMPLE_RATE:
        return None
    active = active_frames(wave)
    if active.sum() * FRAME_SECONDS < MIN_SPEECH_SECONDS:
        return None
    level = 10 * np.log10(np.mean(10 ** (frame_levels(wave)[active] / 10)))
    scaled = resample(wave * np.float32(10 ** ((SPEECH_DBFS - level) / 20)), SAMPLE_RATE, RATE).clip(-1.0, 1.0)
    network = _network()
    raw = [network.run(None, {"input_1": window[None].astype(np.float32)})[0][0][2] for window in split_windows(scaled)]
    return float(np.mean(np.polyval(OVERALL, raw)))


def overall_qualities(waves: Sequence[np.ndarray]) -> list[float | None]:
    """Overall quality of each clip of one voice, which is that of the window that the clip is scored in.

    Neighbouring clips are joined to about the input length of the networks: a short clip alone costs as much, and would
    be scored repeated.
    """
    scores: list[float | None] = []
    first = 0
    for at in range(len(waves)):
        seconds = sum(wave.size for wave in waves[first : at + 1]) / SAMPLE_RATE
        if seconds >= WINDOW / RATE or at == len(waves) - 1:
            scores += [overall_quality(np.concatenate(waves[first : at + 1]))] * (at + 1 - first)
            first = at + 1
    return scores


def split_windows(wave: np.ndarray) -> list[np.ndarray]:
    """[samples] at 16 kHz, at least one → windows of 144,160 samples, from its start to its end."""
    if wave.size <= WINDOW:
        return [np.tile(wave, -(-WINDOW // wave.size))[:WINDOW]]
    count = round(wave.size / WINDOW)
    starts = np.linspace(0, wave.size - WINDOW, count) if count > 1 else [(wave.size - WINDOW) / 2]
    return [wave[int(start) : int(start) + WINDOW] for start in starts]


@lru_cache(maxsize=1)
def _network() -> InferenceSession:
    """The network of the library's package, on one thread, since training uses the other cores.

    The library's own function imports librosa, which takes seconds, for a second network whose score is not used here.
    """
    import onnxruntime

    [package] = find_spec("speechmos").submodule_search_locations  # type: ignore[union-attr,misc]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = str(Path(package) / "dnsmos_models" / "sig_bak_ovr.onnx")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
