"""Compares the voice of several lines with the voice that they should have, over pieces of joined speech."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from trainable.speech.activity import FRAME_SAMPLES, active_frames, sanitize
from trainable.speech.audio import SAMPLE_RATE

MIN_SECONDS = 7.0
"""Seconds of speech per embedding. The similarity of two embeddings rises with their length: cutting English anchors to
3.2 s lowered it from 0.78 to 0.63, joining Chinese ones to 6.9 s raised it from 0.67 to 0.84 (Alexandria)."""

SIMILARITY_MARGIN = 0.05
"""Cosine below the least similarity among a voice's own clips at which another voice begins. On synthetic voices this
flagged none of 30 clean clips and 88 % of those of another voice."""


@dataclass(frozen=True)
class SpeakerSimilarity:
    """The voice of one recording compared with the enrolled one."""

    similarity: float | None = None
    """Cosine; for a long recording the median over its pieces. None where it is unknown."""
    threshold: float | None = None
    """Least similarity of the same voice; None where it is unknown."""
    origin: str = ""
    """Where the threshold comes from, in words that finish a sentence."""
    unknown: str | None = None
    """Why the voice could not be judged; None where it was."""

    @property
    def has_drifted(self) -> bool:
        """False where similarity or threshold is unknown."""
        return self.similarity is not None and self.threshold is not None and self.similarity < self.threshold


@dataclass(frozen=True)
class SpeakerMatch:
    """The speech of a probe's lines, joined into pieces, compared with the voice."""

    similarity: float | None
    """Median cosine of the pieces to the voice; None with too little speech for one piece."""
    threshold: float | None
    """Least similarity of the same voice; None where the similarity of the voice's own clips is unknown."""
    mismatches: int
    """Pieces below the threshold."""

    @property
    def is_unknown(self) -> bool:
        return self.similarity is None or self.threshold is None

    @property
    def has_drifted(self) -> bool:
        return not self.is_unknown and self.similarity < self.threshold


def match_speaker(
    waves: Sequence[np.ndarray],
    similarity: Callable[[np.ndarray], float],
    own_least: float | None,
    base_similarity: float | None,
) -> SpeakerMatch:
    """Compares waves, [samples] float32 at 24 kHz each, with a voice. `similarity` gives a wave's cosine to it.

    `own_least` is the least similarity among the voice's own joined clips. `base_similarity` is that of the base
    model's own clone, once it is known: lines as similar as the clone have not lost the voice.
    """
    similarities = [similarity(piece) for piece in speech_pieces(waves)]
    threshold = None
    if own_least is not None:
        threshold = min(own_least, own_least if base_similarity is None else base_similarity) - SIMILARITY_MARGIN
    return SpeakerMatch(
        similarity=median(similarities) if similarities else None,
        threshold=threshold,
        mismatches=0 if threshold is None else sum(each < threshold for each in similarities),
    )


def unit_vector(vector: np.ndarray) -> np.ndarray:
    """The vector scaled to length 1; a zero vector stays zero."""
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def active_audio(wave: np.ndarray) -> np.ndarray:
    """[samples] float32 at 24 kHz → its active frames alone, one after another."""
    wave = sanitize(wave)
    active = active_frames(wave)
    return wave[: active.size * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)[active].reshape(-1)


def speech_pieces(waves: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The waves' speech, neighbours joined until each piece has at least 7 s; none when all of it is shorter.

    The remainder goes to the last piece.
    """
    pieces: list[list[np.ndarray]] = []
    open_piece: list[np.ndarray] = []
    for wave in waves:
        open_piece.append(active_audio(wave))
        if sum(part.size for part in open_piece) >= MIN_SECONDS * SAMPLE_RATE:
            pieces.append(open_piece)
            open_piece = []
    if pieces:
        pieces[-1] += open_piece
    return [np.concatenate(piece) for piece in pieces]
