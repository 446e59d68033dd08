"""The voices that recordings are compared with, by the file of the reference; each is embedded once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from trainable.probe.measures.similarity import SpeakerSimilarity
from trainable.probe.recordings.audio_file import read_recording
from trainable.probe.speaker.encoder import INSTALL, PUBLISHED, default_encoder, open_voice_encoder
from trainable.probe.speaker.verification import Enrolment

NO_ENCODER = f"there is no voice encoder; name one with --encoder, or {INSTALL}"
NO_VOICE = "nothing is known of the voice; give a recording of it with --reference, or several with --like"
MOST_REFERENCES = 16
"""Voices that are kept at once; a manifest may name one for every line."""


class ReferenceVoices:
    """Opens the encoder with the first recording that has something to be compared with."""

    def __init__(self, encoder: str | None, like: Sequence[np.ndarray]) -> None:
        """`encoder` as `open_voice_encoder` has it; None for the one that is installed. `like` are other recordings of
        the voice, [samples] float32 at 24 kHz each; none where there are none."""
        self._name, self._like = encoder or default_encoder(), like
        self._encoder = lru_cache(maxsize=1)(open_voice_encoder)
        self._enrolled = lru_cache(maxsize=MOST_REFERENCES)(self._enrol)

    def likeness(self, reference: Path | None, wave: np.ndarray) -> SpeakerSimilarity:
        """Of [samples] float32 at 24 kHz to the reference, or to `like` where there is none.

        Raises InputError as `open_voice_encoder` and `read_recording`.
        """
        if reference is None and not len(self._like):
            return SpeakerSimilarity(unknown=NO_VOICE)
        if self._name is None:
            return SpeakerSimilarity(unknown=NO_ENCODER)
        enrolled = self._enrolled(reference)
        return enrolled if isinstance(enrolled, SpeakerSimilarity) else enrolled.likeness(wave)

    def _enrol(self, reference: Path | None) -> Enrolment | SpeakerSimilarity:
        """The reason instead, where the reference cannot be the voice of `like`: its threshold would be of no use."""
        embed, published = self._encoder(self._name).embed, PUBLISHED.get(self._name)
        if reference is None:
            return Enrolment(embed, self._like, published=published)
        wave = read_recording(reference).wave
        if not len(self._like):
            return Enrolment(embed, [wave], published=published)
        own = self._enrolled(None).likeness(wave)
        if own.has_drifted:
            return SpeakerSimilarity(
                unknown=f"the reference is another voice than the recordings of --like: cosine {own.similarity:.2f}, "
                f"expected at least {own.least:.2f}; leave one of them out"
            )
        return Enrolment(embed, [wave], self._like, published)
