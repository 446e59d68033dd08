"""What a healthy clip of this voice measures: the first speaker's own clips through the codec and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from spaces.probe_settings import ProbeSettings
from spaces.records.verdict import Verdict
from trainable.dataset.split import Role
from trainable.family.protocol import ListenableModel
from trainable.files.atomic import write_text
from trainable.probe.criteria.ground_truth import check_ground_truth
from trainable.probe.criteria.judge import BaseResult
from trainable.probe.measures.dnsmos import qualities
from trainable.probe.measures.line import VoiceMeasures, measure, own_measures
from trainable.probe.measures.similarity import long_pieces
from trainable.probe.measures.spectrum import average_spectrum, spectral_distance
from trainable.probe.texts.lines import confirmation_lines, lines_for
from trainable.speech.asr.recogniser import Recogniser, open_recogniser
from trainable.speech.tempo import SpeakingRate, fit_tempo, letters
from trainable.speech.text.error_rate import JUDGED_LETTERS


class Calibration(BaseModel):
    """The probe's yardsticks for one voice; measured once, the same for the base model and every trial."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tempo: SpeakingRate
    vocabulary: tuple[str, ...]
    """Texts that tell the recogniser which words it may hear, and in what order they come."""
    reference: tuple[float, ...]
    """Mean speaker embedding of the ground truth, unit length."""
    similarity_ceiling: float
    """Median cosine of a ground-truth clip to the mean of the others."""
    spectrum: tuple[float, ...]
    """Mean average spectrum of the ground truth, dB."""
    spectral_floor: float
    """Median distance of one ground-truth clip to that mean, dB."""
    similarity_least: float | None
    """Least cosine of a piece of 7 s or more of the ground truth's joined speech; None with too little speech."""
    own: VoiceMeasures
    base_similarity: float | None = None
    """Median cosine of the base model's own clone; None until it has been heard, or said too little."""
    base_heard: BaseResult | None = None
    """How the base model's own clone does; None until it has been heard."""

    def with_base(self, heard: Verdict) -> Calibration:
        """What is as near to the voice, or ends as rarely, as the base model's own clone is not the trials' doing."""
        base = BaseResult(heard.end_probability, heard.missed_ends, heard.failed_lines, heard.judged_lines)
        return self.model_copy(update={"base_similarity": heard.voice_similarity, "base_heard": base})

    def write(self, path: Path) -> None:
        write_text(path, self.model_dump_json(indent=1))

    @classmethod
    def read(cls, path: Path) -> Calibration:
        return cls.model_validate_json(path.read_text(encoding="utf-8"))

    def similarity(self, embedding: np.ndarray) -> float:
        """Cosine of a speaker embedding [dimensions] to this voice."""
        return float(unit(embedding) @ np.asarray(self.reference))

    def spectral_distance(self, wave: np.ndarray) -> float:
        """Of [samples] float32 at 24 kHz to this voice, dB."""
        return spectral_distance(average_spectrum(wave), np.asarray(self.spectrum))


def calibrate(voice: ListenableModel, settings: ProbeSettings) -> Calibration:
    """Measures the first speaker's own clips.

    Raises InputError when the recogniser cannot be had or lacks too many of their words, and when the probe would
    reject them.
    """
    entries = voice.split.entries
    clips = voice.split.calibration
    own = [entry for entry in entries if entry.speaker == 0 and entry.role is not Role.COPY]
    lines = (*lines_for(settings.lines, voice.split), *confirmation_lines(settings.lines, voice.split))
    texts = [entries[clip].text for clip in clips]
    vocabulary = tuple(dict.fromkeys((*(line.text for line in lines), *texts)))
    recogniser = open_recogniser(settings.recogniser, vocabulary, settings.language)
    tempo = fit_tempo([entry.text for entry in own], [entry.seconds for entry in own])
    waves = [voice.ground_truth(clip) for clip in clips]
    measured = [
        replace(measure(wave, text, heard, True, tempo.expected_seconds(text), settings.language), quality=quality)
        for wave, text, heard, quality in zip(
            waves, texts, _hear(texts, waves, recogniser), qualities(waves), strict=True
        )
    ]
    check_ground_truth(measured)
    embeddings = np.stack([unit(voice.speaker_embedding(wave)) for wave in waves])
    mean = unit(embeddings.mean(axis=0))
    likenesses = [float(unit(voice.speaker_embedding(piece)) @ mean) for piece in long_pieces(waves)]
    spectra = np.stack([average_spectrum(wave) for wave in waves])
    return Calibration(
        tempo=tempo,
        vocabulary=vocabulary,
        reference=tuple(float(value) for value in mean),
        similarity_ceiling=float(np.median(_to_the_others(embeddings))),
        spectrum=tuple(float(value) for value in spectra.mean(axis=0)),
        spectral_floor=float(np.median([spectral_distance(each, spectra.mean(axis=0)) for each in spectra])),
        similarity_least=min(likenesses, default=None),
        own=own_measures(measured),
    )


def _hear(texts: Sequence[str], waves: Sequence[np.ndarray], recogniser: Recogniser | None) -> list[str | None]:
    """Nobody is asked about a recording too short to be judged by its words."""
    judged = [at for at, text in enumerate(texts) if letters(text) >= JUDGED_LETTERS]
    heard = dict(zip(judged, recogniser.hear([waves[at] for at in judged]), strict=True)) if recogniser else {}
    return [heard.get(at) for at in range(len(texts))]


def unit(vector: np.ndarray) -> np.ndarray:
    """The vector at length 1; a zero vector stays zero."""
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _to_the_others(embeddings: np.ndarray) -> list[float]:
    """Each row's cosine to the mean of all other rows; [1.0] for a single row."""
    total = embeddings.sum(axis=0)
    if len(embeddings) == 1:
        return [1.0]
    return [float(row @ unit(total - row)) for row in embeddings]
