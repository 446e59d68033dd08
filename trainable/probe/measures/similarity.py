"""Whether several lines together are still the voice.

Audio that is long enough to compare voices by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from trainable.speech.activity import FRAME, active_frames, sound
from trainable.speech.audio import SAMPLE_RATE

LEAST_SECONDS = 7.0
"""Seconds of speech for one embedding. The likeness of two embeddings rises with their length: cutting English anchors
to 3.2 s lowered it from 0.78 to 0.63, joining Chinese ones to 6.9 s raised it from 0.67 to 0.84 (Alexandria)."""


def active_audio(wave: np.ndarray) -> np.ndarray:
    """[samples] float32 at 24 kHz → its active frames alone, one after another."""
    wave = sound(wave)
    active = active_frames(wave)
    return wave[: active.size * FRAME].reshape(-1, FRAME)[active].reshape(-1)


def joined(waves: Sequence[np.ndarray], least_seconds: float = LEAST_SECONDS) -> list[np.ndarray]:
    """The clips' speech, neighbours joined until each piece has at least so many seconds.

    What is left at the end goes to the last piece. One shorter piece when all the clips together have less, and none
    when nobody speaks in any of them.
    """
    pieces: list[list[np.ndarray]] = []
    open_piece: list[np.ndarray] = []
    for wave in waves:
        open_piece.append(active_audio(wave))
        if sum(part.size for part in open_piece) >= least_seconds * SAMPLE_RATE:
            pieces.append(open_piece)
            open_piece = []
    if pieces:
        pieces[-1] += open_piece
    elif any(part.size for part in open_piece):
        pieces.append(open_piece)
    return [np.concatenate(piece) for piece in pieces]


MARGIN = 0.05
"""Of cosine. On synthetic voices the least likeness among a voice's own clips less 0.05 flagged none of 30 clean clips
and 88 % of those of another voice."""


@dataclass(frozen=True)
class SpeakerSimilarity:
    """One recording's voice against the enrolled one."""

    similarity: float | None = None
    """Cosine; of a long recording the median of its pieces. None where it cannot be told."""
    least: float | None = None
    """Below it, it is another voice; None where that is not known."""
    origin: str = ""
    """Where `least` comes from, in words that finish a sentence."""
    unknown: str | None = None
    """Why there is no verdict; None where there is one."""

    @property
    def has_drifted(self) -> bool:
        """Never where it is not known."""
        return self.similarity is not None and self.least is not None and self.similarity < self.least


@dataclass(frozen=True)
class SpeakerMatch:
    """The speech of a probe's lines, joined into pieces, against the voice."""

    similarity: float | None
    """Median cosine of the pieces to the voice; None where there is too little speech for one."""
    least: float | None
    """Below it, it is another voice; None where nothing is known of the voice's own likeness."""
    strange: int
    """Pieces below `least`."""

    @property
    def is_unknown(self) -> bool:
        return self.similarity is None or self.least is None

    @property
    def has_drifted(self) -> bool:
        return not self.is_unknown and self.similarity < self.least


def hear_voice(
    waves: Sequence[np.ndarray], similarity: Callable[[np.ndarray], float], own_least: float | None, base: float | None
) -> SpeakerMatch:
    """waves: [samples] float32 at 24 kHz each. `similarity` of a wave to the voice.

    `own_least` is the least likeness among the voice's own joined clips. `base` is the likeness of the base model's
    own clone, once it is known: what is as near as that has not lost the voice, however far the recordings are.
    """
    likenesses = [similarity(piece) for piece in long_pieces(waves)]
    least = None if own_least is None else min(own_least, own_least if base is None else base) - MARGIN
    return SpeakerMatch(
        similarity=median(likenesses) if likenesses else None,
        least=least,
        strange=0 if least is None else sum(each < least for each in likenesses),
    )


def long_pieces(waves: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Their speech joined into pieces of at least 7 s; none when all of it is shorter."""
    return [piece for piece in joined(waves) if piece.size >= LEAST_SECONDS * SAMPLE_RATE]
