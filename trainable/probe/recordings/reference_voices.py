"""Enrols the voices that recordings are compared with, each reference file once."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from trainable.probe.measures.similarity import SpeakerSimilarity
from trainable.probe.recordings.audio_file import read_recording
from trainable.probe.speaker.encoder import INSTALL, PUBLISHED_THRESHOLDS, default_encoder, open_speaker_encoder
from trainable.probe.speaker.verification import Enrolment

NO_ENCODER = f"there is no voice encoder; name one with --encoder, or {INSTALL}"
NO_VOICE = "nothing is known of the voice; give a recording of it with --reference, or several with --like"
MAX_REFERENCES = 16
"""Voices that are kept at once; a manifest may name one for every line."""


class ReferenceVoices:
    """Opens the encoder when the first recording has a voice to be compared with."""

    def __init__(self, encoder: str | None, like: Sequence[np.ndarray]) -> None:
        """`encoder` is a name for `open_speaker_encoder`, None for the installed one. `like` are other recordings of
        the voice, [samples] float32 at 24 kHz each; it may be empty."""
        self._name, self._like = encoder or default_encoder(), like
        self._open_encoder = lru_cache(maxsize=1)(open_speaker_encoder)
        self._enrolled = lru_cache(maxsize=MAX_REFERENCES)(self._enrol)

    def similarity(self, reference: Path | None, wave: np.ndarray) -> SpeakerSimilarity:
        """Compares [samples] float32 at 24 kHz with the reference, or with `like` without a reference.

        Raises InputError as `open_speaker_encoder` and `read_recording`.
        """
        if reference is None and not len(self._like):
            return SpeakerSimilarity(unknown=NO_VOICE)
        if self._name is None:
            return SpeakerSimilarity(unknown=NO_ENCODER)
        enrolled = self._enrolled(reference)
        return enrolled if isinstance(enrolled, SpeakerSimilarity) else enrolled.similarity(wave)

    def _enrol(self, reference: Path | None) -> Enrolment | SpeakerSimilarity:
        """The enrolled voice, or why there is none: a threshold from `like` does not fit another voice's reference."""
        embed, published = self._open_encoder(self._name).embed, PUBLISHED_THRESHOLDS.get(self._name)
        if reference is None:
            return Enrolment(embed, self._like, published=published)
        wave = read_recording(reference).wave
        if not len(self._like):
            return Enrolment(embed, [wave], published=published)
        own = self._enrolled(None).similarity(wave)
        if own.has_drifted:
            return SpeakerSimilarity(
                unknown=f"the reference is another voice than the recordings of --like: cosine {own.similarity:.2f}, "
                f"expected at least {own.threshold:.2f}; leave one of them out"
            )
        return Enrolment(embed, [wave], self._like, published)
