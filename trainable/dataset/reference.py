"""Ranks clips as reference recordings, and says what is wrong with one.

The guide asks for a long, calm passage, users' notes for 10 to 30 seconds of clear speech at an even volume, neither
noisy nor clipped. Besides, a reference should be about as loud and as fast as the clips.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainable.dataset.clip import Clip
from trainable.dataset.formatting import enumerate_words, printable
from trainable.speech.segmenting import REFERENCE_SECONDS

CLIPPED_SHARE = 0.001
"""A recording with a larger share of clipped samples counts as clipped, as in the probe."""
CLEAN_DB, NOISY_DB = 35.0, 20.0
"""Level of a recording above its quietest tenth: clean speech, and speech with audible noise."""
LONG_PAUSE = 1.5
"""Seconds. The probe rejects lines with such a pause."""
TELEPHONE_HZ = 4_200.0
"""A recording with nothing above it was once sampled at 8 kHz."""
LOUDNESS_DB, TEMPO_RATIO = 6.0, 1.5
"""Differences from the median clip that are reported: twice as loud, half as fast again."""
TEMPO_FACTOR = 1.8
"""A whole sentence's characters per second may differ from the median by this factor before its transcript is doubted.
"""
UNFIT = 100.0
"""Cost of a silent recording or a wrong transcript: more than any length costs."""


@dataclass(frozen=True)
class ClipMedians:
    """Medians over a dataset's clips."""

    characters_per_second: float
    """Of the clips with letters; 0 when no clip has any."""
    rms_dbfs: float


def medians(clips: Sequence[Clip]) -> ClipMedians:
    """Raises ValueError without a clip."""
    if not clips:
        raise ValueError("expected at least one clip, got none")
    tempos = [clip.characters_per_second for clip in clips if clip.characters_per_second > 0]
    return ClipMedians(
        characters_per_second=float(np.median(tempos)) if tempos else 0.0,
        rms_dbfs=float(np.median([clip.measures.rms_dbfs for clip in clips])),
    )


def rank_references(clips: Sequence[Clip]) -> list[Clip]:
    """The clips in the order of their fitness as a reference, the best first; of equally good ones the longer first."""
    if not clips:
        return []
    typical = medians(clips)
    costs = {id(clip): sum(each.cost for each in _drawbacks(clip, typical)) for clip in clips}
    return sorted(clips, key=lambda clip: (round(costs[id(clip)], 6), -clip.seconds))


def describe_reference(clip: Clip, clips: Sequence[Clip]) -> str:
    """One sentence on the clip as a reference for these clips: its length, and its drawbacks if it has any."""
    drawbacks = _reported(_drawbacks(clip, medians(clips or [clip])))
    if not drawbacks:
        return f"{printable(clip.audio.name)}: {clip.seconds:.1f} s, clean, and as loud and as fast as most clips."
    return f"{printable(clip.audio.name)}: {clip.seconds:.1f} s; it {enumerate_words(drawbacks)}."


def recording_drawbacks(clip: Clip, typical: ClipMedians) -> list[str]:
    """The drawbacks of the recording as a reference, without its transcript; each is a predicate ("is clipped")."""
    return _reported(_drawbacks_of_recording(clip, typical))


@dataclass(frozen=True)
class _Drawback:
    cost: float
    """Reported from 1 on."""
    predicate: str


def _reported(drawbacks: Sequence[_Drawback]) -> list[str]:
    return [each.predicate for each in drawbacks if each.cost >= 1]


def _drawbacks(clip: Clip, typical: ClipMedians) -> list[_Drawback]:
    return [*_drawbacks_of_recording(clip, typical), _tempo(clip, typical)]


def _drawbacks_of_recording(clip: Clip, typical: ClipMedians) -> list[_Drawback]:
    measures = clip.measures
    above_noise = measures.rms_dbfs - measures.noise_dbfs
    louder = measures.rms_dbfs - typical.rms_dbfs
    clipped = measures.clipped_share
    return [
        _Drawback(UNFIT if measures.speech_share == 0 else 0.0, "is silent"),
        _length(clip.seconds),
        _Drawback(
            3 + 100 * clipped if clipped > CLIPPED_SHARE else 0.0, f"is clipped ({100 * clipped:.1f} % of its samples)"
        ),
        _Drawback(
            max(0.0, (CLEAN_DB - above_noise) / (CLEAN_DB - NOISY_DB)),
            f"is noisy, its quietest parts are only {max(above_noise, 0):.0f} dB below its speech",
        ),
        _Drawback(2.0 if measures.bandwidth < TELEPHONE_HZ else 0.0, "has no high frequencies"),
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
    bound = low if seconds < low else high
    octaves = abs(math.log2(max(seconds, 1e-3) / bound))
    return _Drawback(1 + 10 * octaves, f"is {'shorter' if seconds < low else 'longer'} than {bound:.0f} s")


def _tempo(clip: Clip, typical: ClipMedians) -> _Drawback:
    tempo = clip.characters_per_second
    if not tempo or not typical.characters_per_second:
        return _Drawback(0.0, "")
    ratio = tempo / typical.characters_per_second
    factor = max(ratio, 1 / ratio)
    unfit = UNFIT if factor > TEMPO_FACTOR else 0.0
    adverb = "fast" if ratio > 1 else "slowly"
    return _Drawback(
        unfit + math.log(factor) / math.log(TEMPO_RATIO), f"speaks {factor:.1f} times as {adverb} as the median clip"
    )
