"""Judges what a voice said: calibration and recogniser, opened once, turn utterances into `SpokenLine`s."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np

from spaces.probe_settings import ProbeSettings
from spaces.records.verdict import ProbeLine, SpokenLine
from trainable.family.protocol import ListenableModel, Utterance
from trainable.probe.criteria.calibration import Calibration
from trainable.probe.criteria.criteria_table import Flag
from trainable.probe.criteria.criterion import LineMeasures, SpokenClip
from trainable.probe.criteria.judge_fingerprint import fingerprint_judge
from trainable.probe.criteria.measure import flags_of, measure_line, with_quality, with_transcript
from trainable.probe.criteria.score import score_of, score_parts
from trainable.probe.measures.dnsmos import overall_qualities
from trainable.probe.measures.similarity import SpeakerMatch, match_speaker
from trainable.probe.texts.lines import confirmation_lines, lines_for
from trainable.speech.background.recogniser import BackgroundRecogniser, open_background_recogniser

Transcripts = Future[list[str]] | None
"""The words of several utterances, which may not be there yet; None without a recogniser."""


@dataclass(frozen=True)
class LineSound:
    """What is measured of a spoken line without its words."""

    line: ProbeLine
    utterance: Utterance
    audio: str
    """Name of the recording."""
    clip: SpokenClip
    measured: LineMeasures
    similarity: float | None
    """None for a silent line, as is the distance."""
    spectral_distance: float | None


@dataclass(frozen=True)
class Listener:
    """Judges lines of one voice by the same thresholds for a whole search."""

    voice: ListenableModel
    calibration: Calibration
    recogniser: BackgroundRecogniser | None
    language: str
    fingerprint: str
    """See `trainable.probe.criteria.judge_fingerprint`."""

    @classmethod
    def open(cls, voice: ListenableModel, settings: ProbeSettings, calibration: Calibration, seed: int) -> Listener:
        """Raises InputError as `lines_for` and `open_background_recogniser`."""
        lines = lines_for(settings.lines, voice.split)
        confirmation = confirmation_lines(settings.lines, voice.split)
        return cls(
            voice,
            calibration,
            open_background_recogniser(settings.recogniser, calibration.vocabulary, settings.language),
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
        transcripts = self.transcribe(utterances)
        return self.judge(self.measure_sound(lines, utterances, names), transcripts)

    def transcribe(self, utterances: Sequence[Utterance]) -> Transcripts:
        """Begins to transcribe the utterances of one voice, as one batch."""
        return self.recogniser.submit([each.wave for each in utterances]) if self.recogniser else None

    def measure_sound(
        self, lines: Sequence[ProbeLine], utterances: Sequence[Utterance], names: Sequence[str]
    ) -> list[LineSound]:
        """Measures what needs no words."""
        qualities = overall_qualities([each.wave for each in utterances])
        return [self._measure_one(*each) for each in zip(lines, utterances, names, qualities, strict=True)]

    def judge(self, sounds: Sequence[LineSound], transcripts: Transcripts) -> list[SpokenLine]:
        """Waits for the words. Raises what the recogniser raises."""
        heard = transcripts.result() if transcripts else [None] * len(sounds)
        return [self._judge_line(*each) for each in zip(sounds, heard, strict=True)]

    def match_speaker(self, waves: Sequence[np.ndarray]) -> SpeakerMatch:
        """See `trainable.probe.measures.similarity.match_speaker`."""
        known = self.calibration
        return match_speaker(waves, self._similarity, known.similarity_least, known.base_similarity)

    def _similarity(self, wave: np.ndarray) -> float:
        return self.calibration.similarity(self.voice.speaker_embedding(wave))

    def _measure_one(self, line: ProbeLine, utterance: Utterance, name: str, quality: float | None) -> LineSound:
        known, wave = self.calibration, utterance.wave
        expected = known.tempo.expected_seconds(line.text)
        clip = SpokenClip(wave, line.text, expected, None, utterance.eos, self.language)
        measured = with_quality(measure_line(clip), quality)
        has_sound = bool(measured.values["speech_share"])
        similarity = self._similarity(wave) if has_sound else None
        distance = known.spectral_distance(wave) if has_sound else None
        return LineSound(line, utterance, name, clip, measured, similarity, distance)

    def _judge_line(self, sound: LineSound, heard: str | None) -> SpokenLine:
        known, line, utterance = self.calibration, sound.line, sound.utterance
        measured = with_transcript(sound.measured, replace(sound.clip, heard=heard))
        flags = flags_of(measured, known.own)
        is_speech = utterance.eos and Flag.SILENT not in flags and measured.seconds > 0
        parts = (
            score_parts(
                measured,
                known.own,
                similarity=sound.similarity,
                similarity_ceiling=known.similarity_ceiling,
                spectral_distance=sound.spectral_distance,
                spectral_floor=known.spectral_floor,
            )
            if is_speech
            else None
        )
        return SpokenLine(
            text=line.text,
            kind=line.kind,
            heard=heard,
            audio=sound.audio,
            flags=flags,
            failed=line.decides and any(flag.rejects for flag in flags),
            eos=utterance.eos,
            frames=utterance.frames,
            frame_cap=utterance.frame_cap,
            seconds=measured.seconds,
            expected_seconds=sound.clip.expected_seconds,
            measures=dict(measured.values),
            similarity=sound.similarity,
            spectral_distance=sound.spectral_distance,
            parts=parts,
            score=score_of(parts),
        )
