"""Judges lines of one synthetic voice, calibrated as a probe is calibrated to the voice of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spaces.records.verdict import SpokenLine, Verdict
from trainable.probe.criteria.criterion import LineMeasures, SpokenClip, VoiceMeasures
from trainable.probe.criteria.judge import make_verdict
from trainable.probe.criteria.measure import flags_of, measure_line, voice_measures, with_transcript
from trainable.probe.measures.similarity import SpeakerMatch, match_speaker, speech_pieces, unit_vector
from trainable.qwen3_tts.data.speaker_embeddings import QwenSpeakerEncoder
from trainable.speech.asr.recogniser import Recogniser
from trainable.speech.audio import SAMPLE_RATE
from trainable.speech.tempo import SpeakingRate, fit_speaking_rate

DEMO = Path(__file__).parent.parent / "demo" / "checkpoint"
VERDICT_LINES = 20


def verdict(lines: Sequence[SpokenLine], voice: SpeakerMatch) -> Verdict:
    """The verdict of a probe of twenty lines."""
    return make_verdict(lines, VERDICT_LINES, voice)


@dataclass(frozen=True)
class Judge:
    """Calibration of one voice, and a recogniser; without one, words are not judged."""

    tempo: SpeakingRate
    own: VoiceMeasures
    reference: np.ndarray
    """[dimensions] mean embedding of the calibration clips, unit length."""
    least: float | None
    encoder: QwenSpeakerEncoder
    recogniser: Recogniser | None

    @classmethod
    def of(
        cls,
        texts: Sequence[str],
        waves: Sequence[np.ndarray],
        encoder: QwenSpeakerEncoder,
        recogniser: Recogniser | None,
    ) -> Judge:
        tempo = fit_speaking_rate(texts, [wave.size / SAMPLE_RATE for wave in waves])
        heard = recogniser.transcribe(waves) if recogniser else [None] * len(waves)
        measured = [
            measure_line(SpokenClip(wave, text, tempo.expected_seconds(text), transcript, True))
            for wave, text, transcript in zip(waves, texts, heard, strict=True)
        ]
        reference = unit_vector(np.mean([unit_vector(encoder.embed(wave).numpy()) for wave in waves], axis=0))
        own = [float(unit_vector(encoder.embed(piece).numpy()) @ reference) for piece in speech_pieces(waves)]
        return cls(tempo, voice_measures(measured), reference, min(own, default=None), encoder, recogniser)

    def listen(self, wave: np.ndarray, text: str) -> tuple[SpokenLine, SpokenLine]:
        """The line judged by its sound alone, and by its words as well. wave: [samples] float32 at 24 kHz.

        A line that its sound already rejects is not transcribed.
        """
        clip = SpokenClip(wave, text, self.tempo.expected_seconds(text), eos=True)
        measured = measure_line(clip)
        by_sound = self._line(measured)
        if self.recogniser is None or by_sound.failed:
            return by_sound, by_sound
        heard = self.recogniser.transcribe([wave])[0]
        return by_sound, self._line(with_transcript(measured, replace(clip, heard=heard)))

    def match_speaker(self, waves: Sequence[np.ndarray]) -> SpeakerMatch:
        """[samples] float32 at 24 kHz each."""
        return match_speaker(
            waves, lambda wave: float(unit_vector(self.encoder.embed(wave).numpy()) @ self.reference), self.least, None
        )

    def _line(self, measured: LineMeasures) -> SpokenLine:
        """Scores are left at 0, since they do not affect a verdict."""
        flags = flags_of(measured, self.own)
        return SpokenLine(
            text=measured.text,
            heard=measured.heard,
            audio="",
            flags=flags,
            failed=any(flag.rejects for flag in flags),
            eos=True,
            frames=0,
            frame_cap=0,
            seconds=measured.seconds,
            expected_seconds=measured.expected_seconds,
            measures=dict(measured.values),
            similarity=None,
            spectral_distance=None,
            score=0.0,
        )
