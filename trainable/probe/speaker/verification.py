"""Whether one recording is the voice of others: speaker verification against enrolled speech."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

import numpy as np

from trainable.probe.measures.similarity import LEAST_SECONDS, MARGIN, SpeakerSimilarity, active_audio
from trainable.speech.audio import SAMPLE_RATE

SHORTEST = 2
"""Seconds of speech of which a voice is judged, whole.

What is short is less alike, so a clip is compared with pieces of the voice as long as itself, and its threshold is
theirs. With Resemblyzer, seven synthetic voices and 10, 12 or 14 s of each as the reference, this flagged none of 292
pieces of the same voice of 2, 3, 5 and 7 s, and 95 % of those of another one: nearly all that it missed are of one pair
(espeak-ng's formants under two accents, cosine 0.97). With the demo checkpoint's speaker encoder and half of each of
eight voices, it flagged 3 of 101 of the same voice at 2 s and 1 of 25 at 7 s, and 76 and 94 % of another."""

MOST_SPEECH = 120.0
"""Seconds of the enrolled speech that are embedded, as much of each recording."""


class Enrolment:
    """The speech that a recording is compared with.

    A reference of the same recording session is more alike than the same voice on another day, so a threshold of one
    reference alone is strict; one of many recordings is not.
    """

    def __init__(
        self,
        embed: Callable[[np.ndarray], np.ndarray],
        reference: Sequence[np.ndarray],
        others: Sequence[np.ndarray] = (),
        published: float | None = None,
    ) -> None:
        """`reference` and `others` are recordings, [samples] float32 at 24 kHz each, of which the speech alone counts.

        `others` are of the same voice and tell how alike it is to the reference; without any, the reference is
        compared with itself. `published` is the threshold of the encoder's authors, for want of both.
        """
        self._embed, self._published = embed, published
        self._reference = _speech(reference)
        self._others = _speech(others) if len(others) else None
        self._known: dict[tuple[bool, int], np.ndarray] = {}

    def likeness(self, wave: np.ndarray) -> SpeakerSimilarity:
        """Of [samples] float32 at 24 kHz, of any length."""
        speech = active_audio(wave)
        if (enrolled := self._reference.size / SAMPLE_RATE) < LEAST_SECONDS:
            return SpeakerSimilarity(
                unknown=f"{enrolled:.1f} s of speech are known of the voice, expected at least {LEAST_SECONDS:g}"
            )
        if (spoken := speech.size / SAMPLE_RATE) < SHORTEST:
            return SpeakerSimilarity(
                unknown=f"{spoken:.1f} s of speech are too few to tell a voice by, expected {SHORTEST}"
            )
        longest = int(min(spoken, LEAST_SECONDS))
        seconds = self._piece_seconds(longest)
        anchor = _unit(self._embeddings(False, seconds or longest).mean(axis=0))
        parts = np.array_split(speech, max(1, int(spoken // LEAST_SECONDS)))
        similarity = median(float(_unit(self._embed(part)) @ anchor) for part in parts)
        if seconds is not None:
            least, origin = self._own_least(seconds, anchor)
        elif self._published is not None and longest == LEAST_SECONDS:
            least, origin = self._published, "published for this encoder"
        else:
            return SpeakerSimilarity(
                similarity,
                unknown=f"{enrolled:.1f} s of speech are too few to tell how alike the voice is to itself; give a "
                "reference with 14 s, or more recordings with --like",
            )
        return SpeakerSimilarity(similarity, least, origin)

    def _piece_seconds(self, longest: int) -> int | None:
        """The longest pieces of which there are enough: two of other recordings, or one and 7 s of the reference."""
        for seconds in range(longest, SHORTEST - 1, -1):
            length = seconds * SAMPLE_RATE
            if self._others is not None and self._others.size >= 2 * length:
                return seconds
            if self._others is None and (self._reference.size // length - 1) * seconds >= LEAST_SECONDS:
                return seconds
        return None

    def _own_least(self, seconds: int, anchor: np.ndarray) -> tuple[float, str]:
        if self._others is not None:
            own = self._embeddings(True, seconds) @ anchor
            told = f"the least of {own.size} pieces of the recordings of --like, each of {seconds} s"
        else:
            pieces = self._embeddings(False, seconds)
            own = np.array([piece @ _unit(rest) for piece, rest in zip(pieces, pieces.sum(0) - pieces, strict=True)])
            told = f"the least of {own.size} pieces of the voice itself to the others, each of {seconds} s"
        return float(own.min()) - MARGIN, f"{told}, less {MARGIN:g}"

    def _embeddings(self, of_others: bool, seconds: int) -> np.ndarray:
        """[pieces, dimensions], of unit length, of pieces of so many seconds or a little more."""
        if (of_others, seconds) not in self._known:
            speech = self._others if of_others else self._reference
            parts = np.array_split(speech, max(1, speech.size // (seconds * SAMPLE_RATE)))
            self._known[of_others, seconds] = np.stack([_unit(self._embed(part)) for part in parts])
        return self._known[of_others, seconds]


def _speech(waves: Sequence[np.ndarray]) -> np.ndarray:
    most = int(MOST_SPEECH * SAMPLE_RATE / len(waves))
    return np.concatenate([active_audio(wave)[:most] for wave in waves])


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
