"""How good speech sounds: DNSMOS, a network that was trained on listeners' opinion scores of noisy speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trainable.speech.activity import FRAME_SECONDS, active_frames, frame_levels, sound
from trainable.speech.audio import SAMPLE_RATE, resample

if TYPE_CHECKING:
    from speechmos.dnsmos import DNSMOS

RATE = 16_000
"""Hz that the networks hear at."""
WINDOW = 144_160
"""Samples at 16 kHz that they hear at once, 9.01 s."""
LEAST_SECONDS = 1.0
LEAST_SPEECH = 0.5
"""Seconds of a clip, and of speech in it, below which there is nothing to have an opinion on."""
SPEECH_DBFS = -26.0
"""Level that the speech is brought to, the nominal one of ITU-T P.56. As it is, a line of the demo voice scores 2.5
overall, and 3.1 at a tenth of the amplitude: a voice would gain by speaking quietly."""


@dataclass(frozen=True)
class DnsMos:
    """Mean opinion scores, 1 to 5, as Reddy, Gopal and Cutler (2022, "DNSMOS P.835") and (2021, "DNSMOS") predict them.

    They compare clips of one voice only: one clean synthetic voice has 2.4 overall, and gibberish in a clear voice
    scores no lower than its sentences. So they are part of a score and never a reason to reject.
    """

    overall: float
    """P.835 OVRL."""
    signal: float
    """P.835 SIG: how little the speech is distorted."""
    background: float
    """P.835 BAK: how little else is heard."""
    p808: float
    """Overall, of the network that was trained on P.808 scores."""


def quality(wave: np.ndarray) -> DnsMos | None:
    """[samples] float32 at 24 kHz → its scores; None for a clip under 1 s or with less than half a second of speech.

    Equal audio gives equal scores, at any level that is not clipped. What is louder than full scale is, as in a file;
    numbers that are not finite are silence; only the first three minutes are heard. Takes about 0.25 s of one core per
    9 s of audio, and as much for a shorter clip.

    The networks hear 9.01 s; a shorter clip is repeated. Their library moves them on by 1 s and averages, which for
    15 s costs seven times as much: here as few windows as cover the clip, rounded to the nearest number, lie evenly
    between its ends. Of 40 recordings of 10 to 30 s of eight synthetic voices, half differ by less than 0.06 overall
    from the library's average of the same level, nine in ten by less than 0.24, and the worst by 0.36.
    """
    wave = np.clip(sound(wave), -1.0, 1.0)
    if wave.size < LEAST_SECONDS * SAMPLE_RATE:
        return None
    active = active_frames(wave)
    if active.sum() * FRAME_SECONDS < LEAST_SPEECH:
        return None
    level = 10 * np.log10(np.mean(10 ** (frame_levels(wave)[active] / 10)))
    heard = resample(wave * np.float32(10 ** ((SPEECH_DBFS - level) / 20)), SAMPLE_RATE, RATE).clip(-1.0, 1.0)
    scorer = _scorer()
    scores = [scorer(window, RATE, is_personalized_MOS=False) for window in windows(heard)]
    overall, signal, background, p808 = (
        float(np.mean([score[name] for score in scores])) for name in ("ovrl_mos", "sig_mos", "bak_mos", "p808_mos")
    )
    return DnsMos(overall, signal, background, p808)


def qualities(waves: Sequence[np.ndarray]) -> list[float | None]:
    """Overall quality of each of these clips of one voice, as it is of the piece that a clip is heard in.

    Neighbours are joined to pieces of about the length that the networks hear at once, because a short clip alone
    costs as much as a piece, and would be heard repeated.
    """
    scores: list[float | None] = []
    first = 0
    for at in range(len(waves)):
        seconds = sum(wave.size for wave in waves[first : at + 1]) / SAMPLE_RATE
        if seconds >= WINDOW / RATE or at == len(waves) - 1:
            heard = quality(np.concatenate(waves[first : at + 1]))
            scores += [heard.overall if heard else None] * (at + 1 - first)
            first = at + 1
    return scores


def windows(heard: np.ndarray) -> list[np.ndarray]:
    """[samples] at 16 kHz, at least one → windows of 144,160 samples, from its start to its end."""
    if heard.size <= WINDOW:
        return [np.tile(heard, -(-WINDOW // heard.size))[:WINDOW]]
    count = round(heard.size / WINDOW)
    starts = np.linspace(0, heard.size - WINDOW, count) if count > 1 else [(heard.size - WINDOW) / 2]
    return [heard[int(start) : int(start) + WINDOW] for start in starts]


@lru_cache(maxsize=1)
def _scorer() -> DNSMOS:
    """The library's networks, from its package, on one thread each: others train or listen on the other cores."""
    import onnxruntime
    from speechmos import dnsmos

    folder = Path(dnsmos.__file__).parent / "dnsmos_models"
    primary, p808 = str(folder / "sig_bak_ovr.onnx"), str(folder / "model_v8.onnx")
    scorer = dnsmos.DNSMOS(primary, p808)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    scorer.onnx_sess, scorer.p808_onnx_sess = (
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]) for path in (primary, p808)
    )
    return scorer
