"""Speaker verification: whether a recording is the voice of enrolled recordings."""

from collections.abc import Callable, Sequence
from statistics import median

import numpy as np

from trainable.probe.measures.similarity import (
    MIN_SECONDS,
    SIMILARITY_MARGIN,
    SpeakerSimilarity,
    active_audio,
    unit_vector,
)
from trainable.speech.audio import SAMPLE_RATE

MIN_CLIP_SECONDS = 2
"""Least seconds of speech from which a voice is judged.

Short clips are less similar, so a clip is compared with pieces of the voice of its own length, which also set its
threshold. With Resemblyzer, seven synthetic voices and 10, 12 or 14 s of each as the reference, this flagged none of
292 pieces of the same voice of 2, 3, 5 and 7 s, and 95 % of those of another one: nearly all misses are of one pair
(espeak-ng's formants under two accents, cosine 0.97). With the demo checkpoint's speaker encoder and half of each of
eight voices, it flagged 3 of 101 of the same voice at 2 s and 1 of 25 at 7 s, and 76 and 94 % of another."""

MAX_SPEECH_SECONDS = 120.0
"""Seconds of the enrolled speech that are embedded, as much of each recording."""


class Enrolment:
    """The enrolled voice that recordings are compared with.

    A reference from the same session is more similar than the same voice on another day. So the threshold of a single
    reference is strict; that of many recordings is not.
    """

    def __init__(
        self,
        embed: Callable[[np.ndarray], np.ndarray],
        reference: Sequence[np.ndarray],
        others: Sequence[np.ndarray] = (),
        published: float | None = None,
    ) -> None:
        """`reference` and `others` are recordings, [samples] float32 at 24 kHz each, of which only the speech counts.

        `others` are of the same voice; their similarity to the reference sets the threshold. Without any, pieces of the
        reference are compared with each other. `published` is the threshold of the encoder's authors, for a reference
        too short for that.
        """
        self._embed, self._published = embed, published
        self._reference = _speech(reference)
        self._others = _speech(others) if len(others) else None
        self._cache: dict[tuple[bool, int], np.ndarray] = {}

    def similarity(self, wave: np.ndarray) -> SpeakerSimilarity:
        """Compares [samples] float32 at 24 kHz, of any length, with the enrolled voice."""
        speech = active_audio(wave)
        if (enrolled := self._reference.size / SAMPLE_RATE) < MIN_SECONDS:
            return SpeakerSimilarity(
                unknown=f"{enrolled:.1f} s of speech are known of the voice, expected at least {MIN_SECONDS:g}"
            )
        if (spoken := speech.size / SAMPLE_RATE) < MIN_CLIP_SECONDS:
            return SpeakerSimilarity(
                unknown=f"{spoken:.1f} s of speech are too few to tell a voice by, expected {MIN_CLIP_SECONDS}"
            )
        longest = int(min(spoken, MIN_SECONDS))
        seconds = self._piece_seconds(longest)
        anchor = unit_vector(self._embeddings(False, seconds or longest).mean(axis=0))
        parts = np.array_split(speech, max(1, int(spoken // MIN_SECONDS)))
        similarity = median(float(unit_vector(self._embed(part)) @ anchor) for part in parts)
        if seconds is not None:
            threshold, origin = self._own_threshold(seconds, anchor)
        elif self._published is not None and longest == MIN_SECONDS:
            threshold, origin = self._published, "published for this encoder"
        else:
            return SpeakerSimilarity(
                similarity,
                unknown=f"{enrolled:.1f} s of speech are too few to measure the voice's similarity to itself; give a "
                "reference with 14 s, or more recordings with --like",
            )
        return SpeakerSimilarity(similarity, threshold, origin)

    def _piece_seconds(self, longest: int) -> int | None:
        """The longest pieces of which there are enough: two of other recordings, or one and 7 s of the reference."""
        for seconds in range(longest, MIN_CLIP_SECONDS - 1, -1):
            length = seconds * SAMPLE_RATE
            if self._others is not None and self._others.size >= 2 * length:
                return seconds
            if self._others is None and (self._reference.size // length - 1) * seconds >= MIN_SECONDS:
                return seconds
        return None

    def _own_threshold(self, seconds: int, anchor: np.ndarray) -> tuple[float, str]:
        if self._others is not None:
            own = self._embeddings(True, seconds) @ anchor
            origin = f"the least of {own.size} pieces of the recordings of --like, each of {seconds} s"
        else:
            pieces = self._embeddings(False, seconds)
            rests = pieces.sum(0) - pieces
            own = np.array([piece @ unit_vector(rest) for piece, rest in zip(pieces, rests, strict=True)])
            origin = f"the least of {own.size} pieces of the voice itself to the others, each of {seconds} s"
        return float(own.min()) - SIMILARITY_MARGIN, f"{origin}, less {SIMILARITY_MARGIN:g}"

    def _embeddings(self, of_others: bool, seconds: int) -> np.ndarray:
        """[pieces, dimensions] unit vectors of pieces of at least this many seconds."""
        if (of_others, seconds) not in self._cache:
            speech = self._others if of_others else self._reference
            parts = np.array_split(speech, max(1, speech.size // (seconds * SAMPLE_RATE)))
            self._cache[of_others, seconds] = np.stack([unit_vector(self._embed(part)) for part in parts])
        return self._cache[of_others, seconds]


def _speech(waves: Sequence[np.ndarray]) -> np.ndarray:
    most = int(MAX_SPEECH_SECONDS * SAMPLE_RATE / len(waves))
    return np.concatenate([active_audio(wave)[:most] for wave in waves])
