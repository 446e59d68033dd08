"""Calibrates the probe to a voice: measures the first speaker's own clips, decoded from their codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from spaces.frozen_model import FrozenModel
from spaces.probe_settings import ProbeSettings
from spaces.records.verdict import Verdict
from trainable.dataset.finding import Finding
from trainable.dataset.split import Role
from trainable.family.protocol import ListenableModel
from trainable.files.atomic import write_text
from trainable.probe.criteria.criterion import LineMeasures, SpokenClip, VoiceMeasures
from trainable.probe.criteria.ground_truth import check_ground_truth
from trainable.probe.criteria.judge import BaseResult
from trainable.probe.criteria.measure import measure_line, voice_measures, with_quality
from trainable.probe.measures.dnsmos import overall_qualities
from trainable.probe.measures.similarity import speech_pieces, unit_vector
from trainable.probe.measures.spectrum import average_spectrum, spectral_distance
from trainable.probe.texts.lines import confirmation_lines, lines_for
from trainable.speech.asr.recogniser import Recogniser
from trainable.speech.background.recogniser import open_background_recogniser
from trainable.speech.tempo import SpeakingRate, fit_speaking_rate, letters
from trainable.speech.text.error_rate import MIN_JUDGED_LETTERS


class Calibration(FrozenModel):
    """The probe's reference measures of one voice; measured once and used for the base model and every trial."""

    tempo: SpeakingRate
    vocabulary: tuple[str, ...]
    """Texts for the recogniser's language model."""
    reference: tuple[float, ...]
    """Mean speaker embedding of the ground truth, unit length."""
    similarity_ceiling: float
    """Median cosine of a ground-truth clip to the mean of the others."""
    spectrum: tuple[float, ...]
    """Mean average spectrum of the ground truth, dB."""
    spectral_floor: float
    """Median distance of one ground-truth clip to that mean, dB."""
    similarity_least: float | None
    """Least cosine of pieces of the ground truth's joined speech, 7 s or more each; None with too little speech."""
    own: VoiceMeasures
    base_similarity: float | None = None
    """Median cosine of the base model's own clone; None until it was probed, and with too little speech."""
    base_heard: BaseResult | None = None
    """Result of the base model's own clone; None until it was probed."""

    def with_base(self, verdict: Verdict) -> Calibration:
        """Adds the base model's verdict, so that trials are not blamed for a weakness of the base model."""
        base = BaseResult(verdict.end_probability, verdict.missed_ends, verdict.failed_lines, verdict.judged_lines)
        return self.model_copy(update={"base_similarity": verdict.voice_similarity, "base_heard": base})

    def write(self, path: Path) -> None:
        write_text(path, self.model_dump_json(indent=1))

    @classmethod
    def read(cls, path: Path) -> Calibration:
        return cls.model_validate_json(path.read_text(encoding="utf-8"))

    def similarity(self, embedding: np.ndarray) -> float:
        """Cosine of a speaker embedding [dimensions] to this voice."""
        return float(unit_vector(embedding) @ np.asarray(self.reference))

    def spectral_distance(self, wave: np.ndarray) -> float:
        """Distance of the average spectrum of [samples] float32 at 24 kHz to this voice's, dB."""
        return spectral_distance(average_spectrum(wave), np.asarray(self.spectrum))


def calibrate(
    voice: ListenableModel, settings: ProbeSettings, recording: Callable[[int], np.ndarray]
) -> tuple[Calibration, list[Finding]]:
    """Measures the first speaker's own clips, as the codec gives them back.

    `recording` returns a clip of the split as it was recorded, [samples] float32 at 24 kHz. The findings warn of a
    codec that spoils the voice. Raises InputError when the recogniser cannot be opened or lacks too many of their
    words, and when the probe rejects the clips.
    """
    entries = voice.split.entries
    clips = voice.split.calibration
    own = [entry for entry in entries if entry.speaker == 0 and entry.role is not Role.COPY]
    lines = (*lines_for(settings.lines, voice.split), *confirmation_lines(settings.lines, voice.split))
    texts = [entries[clip].text for clip in clips]
    vocabulary = tuple(dict.fromkeys((*(line.text for line in lines), *texts)))
    recogniser = open_background_recogniser(settings.recogniser, vocabulary, settings.language)
    tempo = fit_speaking_rate([entry.text for entry in own], [entry.seconds for entry in own])

    def measure(texts: Sequence[str], waves: Sequence[np.ndarray]) -> list[LineMeasures]:
        spoken = zip(texts, waves, _transcribe(texts, waves, recogniser), strict=True)
        return [
            measure_line(SpokenClip(wave, text, tempo.expected_seconds(text), heard, True, settings.language))
            for text, wave, heard in spoken
        ]

    waves = [voice.ground_truth(clip) for clip in clips]
    measured = measure(texts, waves)
    finding = check_ground_truth(
        measured,
        lambda places: measure([texts[place] for place in places], [recording(clips[place]) for place in places]),
    )
    measured = [with_quality(line, quality) for line, quality in zip(measured, overall_qualities(waves), strict=True)]
    embeddings = np.stack([unit_vector(voice.speaker_embedding(wave)) for wave in waves])
    mean = unit_vector(embeddings.mean(axis=0))
    similarities = [float(unit_vector(voice.speaker_embedding(piece)) @ mean) for piece in speech_pieces(waves)]
    spectra = np.stack([average_spectrum(wave) for wave in waves])
    calibration = Calibration(
        tempo=tempo,
        vocabulary=vocabulary,
        reference=tuple(float(value) for value in mean),
        similarity_ceiling=float(np.median(_leave_one_out_cosines(embeddings))),
        spectrum=tuple(float(value) for value in spectra.mean(axis=0)),
        spectral_floor=float(np.median([spectral_distance(each, spectra.mean(axis=0)) for each in spectra])),
        similarity_least=min(similarities, default=None),
        own=voice_measures(measured),
    )
    return calibration, [finding] if finding else []


def _transcribe(texts: Sequence[str], waves: Sequence[np.ndarray], recogniser: Recogniser | None) -> list[str | None]:
    """The transcript of each wave; None without a recogniser, and for texts too short to be judged by their words."""
    if recogniser is None:
        return [None] * len(texts)
    judged = [at for at, text in enumerate(texts) if letters(text) >= MIN_JUDGED_LETTERS]
    transcripts = dict(zip(judged, recogniser.transcribe([waves[at] for at in judged]), strict=True))
    return [transcripts.get(at) for at in range(len(texts))]


def _leave_one_out_cosines(embeddings: np.ndarray) -> list[float]:
    """The cosine of each row [clips, dimensions] to the mean of all other rows; [1.0] for a single row."""
    total = embeddings.sum(axis=0)
    if len(embeddings) == 1:
        return [1.0]
    return [float(row @ unit_vector(total - row)) for row in embeddings]
