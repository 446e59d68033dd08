"""Judges what a voice said: calibration and recogniser, opened once, turn utterances into `SpokenLine`s."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spaces.probe_settings import ProbeSettings
from spaces.records.verdict import ProbeLine, SpokenLine
from trainable.family.protocol import ListenableModel, Utterance
from trainable.probe.criteria.calibration import Calibration
from trainable.probe.criteria.criteria_table import Flag
from trainable.probe.criteria.criterion import SpokenClip
from trainable.probe.criteria.judge_fingerprint import fingerprint_judge
from trainable.probe.criteria.measure import flags_of, measure_line, with_quality
from trainable.probe.criteria.score import score_of, score_parts
from trainable.probe.measures.dnsmos import overall_qualities
from trainable.probe.measures.similarity import SpeakerMatch, match_speaker
from trainable.probe.texts.lines import confirmation_lines, lines_for
from trainable.speech.asr.recogniser import Recogniser, open_recogniser


@dataclass(frozen=True)
class Listener:
    """Judges lines of one voice by the same thresholds for a whole search."""

    voice: ListenableModel
    calibration: Calibration
    recogniser: Recogniser | None
    language: str
    fingerprint: str
    """See `trainable.probe.criteria.judge_fingerprint`."""

    @classmethod
    def open(cls, voice: ListenableModel, settings: ProbeSettings, calibration: Calibration, seed: int) -> Listener:
        """Raises InputError as `lines_for` and `open_recogniser`."""
        lines = lines_for(settings.lines, voice.split)
        confirmation = confirmation_lines(settings.lines, voice.split)
        return cls(
            voice,
            calibration,
            open_recogniser(settings.recogniser, calibration.vocabulary, settings.language),
            settings.language,
            fingerprint_judge(calibration, settings, lines, confirmation, seed).fingerprint,
        )

    def frame_cap(self, text: str) -> int:
        """See `SpeakingRate.frame_cap`."""
        return self.calibration.tempo.frame_cap(text)

    def judge_lines(
        self, lines: Sequence[ProbeLine], utterances: Sequence[Utterance], names: Sequence[str]
    ) -> list[SpokenLine]:
        """Judges the utterances of one voice, transcribed in one batch. `names` are those of the recordings."""
        waves = [each.wave for each in utterances]
        transcripts = self.recogniser.transcribe(waves) if self.recogniser else [None] * len(lines)
        spoken = zip(lines, utterances, transcripts, overall_qualities(waves), names, strict=True)
        return [self._judge_line(*each) for each in spoken]

    def match_speaker(self, waves: Sequence[np.ndarray]) -> SpeakerMatch:
        """See `trainable.probe.measures.similarity.match_speaker`."""
        known = self.calibration
        return match_speaker(waves, self._similarity, known.similarity_least, known.base_similarity)

    def _similarity(self, wave: np.ndarray) -> float:
        return self.calibration.similarity(self.voice.speaker_embedding(wave))

    def _judge_line(
        self, line: ProbeLine, utterance: Utterance, heard: str | None, quality: float | None, name: str
    ) -> SpokenLine:
        """Voice and spectrum of a silent line are None."""
        known, wave = self.calibration, utterance.wave
        expected = known.tempo.expected_seconds(line.text)
        clip = SpokenClip(wave, line.text, expected, heard, utterance.eos, self.language)
        measured = with_quality(measure_line(clip), quality)
        has_sound = bool(measured.values["speech_share"])
        similarity = self._similarity(wave) if has_sound else None
        distance = known.spectral_distance(wave) if has_sound else None
        flags = flags_of(measured, known.own)
        is_speech = utterance.eos and Flag.SILENT not in flags and measured.seconds > 0
        parts = (
            score_parts(
                measured,
                known.own,
                similarity=similarity,
                similarity_ceiling=known.similarity_ceiling,
                spectral_distance=distance,
                spectral_floor=known.spectral_floor,
            )
            if is_speech
            else None
        )
        return SpokenLine(
            text=line.text,
            kind=line.kind,
            heard=heard,
            audio=name,
            flags=flags,
            failed=line.decides and any(flag.rejects for flag in flags),
            eos=utterance.eos,
            frames=utterance.frames,
            frame_cap=utterance.frame_cap,
            seconds=measured.seconds,
            expected_seconds=expected,
            measures=dict(measured.values),
            similarity=similarity,
            spectral_distance=distance,
            parts=parts,
            score=score_of(parts),
        )
