"""Which recording does best as the reference, and what speaks against one.

The guide asks for a long, calm passage; users' notes for 10 to 30 seconds of clear speech at an even volume, neither
noisy nor clipped. To this is added that it sounds as the clips do: as loud, and as fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainable.dataset.clip import Clip
from trainable.dataset.user_files import printable
from trainable.speech.segmenting import REFERENCE_SECONDS
from trainable.speech.tempo import letters

CLIPPED_SHARE = 0.001
"""More than this share of its samples, and a recording is clipped; the probe says so of what it hears, too."""
CLEAN_DB, NOISY_DB = 35.0, 20.0
"""How far the quietest tenth of a recording lies below its level: clean speech, and speech with audible noise."""
LONG_PAUSE = 1.5
"""Seconds; the probe rejects such a pause in what it hears."""
TELEPHONE_HZ = 4_200.0
"""A recording with nothing above it once was at 8 kHz."""
LOUDNESS_DB, OTHER_TEMPO = 6.0, 1.5
"""How far from the median clip a reference may be before that is worth telling: twice as loud, half as fast again."""
TEMPO_FACTOR = 1.8
"""How far a whole sentence's characters per second may be from the median before its transcript is doubted."""
UNFIT = 100.0
"""What it costs to be silent, or to have a transcript that is not one's own: more than any length."""


@dataclass(frozen=True)
class Typical:
    """The middle of a dataset."""

    characters_per_second: float
    """0 when no clip has a letter."""
    rms_dbfs: float


def characters_per_second(clip: Clip) -> float:
    """Letters and digits of the transcript per second of the recording."""
    return letters(clip.text) / clip.seconds if clip.seconds > 0 else 0.0


def typical(clips: Sequence[Clip]) -> Typical:
    """Medians over the clips, those without a letter left out of the tempo. Raises ValueError without a clip."""
    if not clips:
        raise ValueError("expected at least one clip, got none")
    tempos = [tempo for tempo in map(characters_per_second, clips) if tempo > 0]
    return Typical(
        characters_per_second=float(np.median(tempos)) if tempos else 0.0,
        rms_dbfs=float(np.median([clip.measures.rms_dbfs for clip in clips])),
    )


def propose_reference(clips: Sequence[Clip]) -> list[Clip]:
    """The clips as references, best first; of equally good ones the longer comes first."""
    if not clips:
        return []
    middle = typical(clips)
    costs = {id(clip): sum(each.cost for each in _drawbacks(clip, middle)) for clip in clips}
    return sorted(clips, key=lambda clip: (round(costs[id(clip)], 6), -clip.seconds))


def why(clip: Clip, clips: Sequence[Clip]) -> str:
    """One sentence on what makes a clip a good reference for these clips, or what is left to be desired."""
    found = faults(clip, typical(clips or [clip]))
    if not found:
        return f"{printable(clip.audio.name)}: {clip.seconds:.1f} s, clean, and as loud and as fast as most clips."
    return f"{printable(clip.audio.name)}: {clip.seconds:.1f} s; it {listed(found)}."


def faults(clip: Clip, middle: Typical) -> list[str]:
    """What is wrong with a clip as a reference, each to follow "it"; empty for a good one."""
    return [each.words for each in _drawbacks(clip, middle) if each.cost >= 1]


def recording_faults(clip: Clip, middle: Typical) -> list[str]:
    """The same of its recording alone, whatever its transcript says."""
    return [each.words for each in _of_recording(clip, middle) if each.cost >= 1]


@dataclass(frozen=True)
class _Drawback:
    cost: float
    """1 is worth telling."""
    words: str


def _drawbacks(clip: Clip, middle: Typical) -> list[_Drawback]:
    return [*_of_recording(clip, middle), _tempo(clip, middle)]


def _of_recording(clip: Clip, middle: Typical) -> list[_Drawback]:
    measures = clip.measures
    above_noise = measures.rms_dbfs - measures.noise_dbfs
    louder = measures.rms_dbfs - middle.rms_dbfs
    clipped = measures.clipped_share > CLIPPED_SHARE
    return [
        _Drawback(UNFIT if measures.speech_share == 0 else 0.0, "is silent"),
        _length(clip.seconds),
        _Drawback(
            3 + 100 * measures.clipped_share if clipped else 0.0, f"is clipped {percent(measures.clipped_share)}"
        ),
        _Drawback(
            max(0.0, (CLEAN_DB - above_noise) / (CLEAN_DB - NOISY_DB)),
            f"is noisy, its quietest parts are only {max(above_noise, 0):.0f} dB below its speech",
        ),
        _Drawback(2.0 if measures.bandwidth < TELEPHONE_HZ else 0.0, "holds no high sounds"),
        _Drawback(measures.longest_pause / LONG_PAUSE, f"pauses for {measures.longest_pause:.1f} s"),
        _Drawback(
            abs(louder) / LOUDNESS_DB,
            f"is {abs(louder):.0f} dB {'louder' if louder > 0 else 'quieter'} than the median clip",
        ),
    ]


def _length(seconds: float) -> _Drawback:
    low, high = REFERENCE_SECONDS
    if low <= seconds <= high:
        return _Drawback(0.0, "")
    octaves = abs(math.log2(max(seconds, 1e-3) / (low if seconds < low else high)))
    word = "shorter" if seconds < low else "longer"
    return _Drawback(1 + 10 * octaves, f"is {word} than {low if seconds < low else high:.0f} s")


def _tempo(clip: Clip, middle: Typical) -> _Drawback:
    tempo = characters_per_second(clip)
    if not tempo or not middle.characters_per_second:
        return _Drawback(0.0, "")
    ratio = tempo / middle.characters_per_second
    word = "fast" if ratio > 1 else "slowly"
    factor = max(ratio, 1 / ratio)
    doubt = UNFIT if factor > TEMPO_FACTOR else 0.0
    return _Drawback(
        doubt + math.log(factor) / math.log(OTHER_TEMPO), f"speaks {factor:.1f} times as {word} as the median clip"
    )


def percent(share: float) -> str:
    """In brackets, to follow a verdict: "(0.4 % of its samples)"."""
    return f"({100 * share:.1f} % of its samples)"


def listed(words: Sequence[str]) -> str:
    """One or more, as a sentence names them."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
