"""Who listens: a voice's yardsticks, and a recogniser that is loaded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spaces.probe_settings import ProbeSettings
from spaces.records.verdict import Flag, ProbeLine, SpokenLine
from trainable.family.protocol import ListenableModel, Utterance
from trainable.probe.criteria.calibration import Calibration
from trainable.probe.criteria.flags import flags_of
from trainable.probe.criteria.judge_fingerprint import freeze
from trainable.probe.criteria.score import score_of, score_parts
from trainable.probe.measures.dnsmos import qualities
from trainable.probe.measures.line import measure
from trainable.probe.measures.similarity import SpeakerMatch, hear_voice
from trainable.probe.texts.lines import confirmation_lines, lines_for
from trainable.speech.asr.recogniser import Recogniser, open_recogniser


@dataclass(frozen=True)
class Listener:
    """Knows one voice, and judges what is said in it the same way from the first line of a search to its last."""

    voice: ListenableModel
    calibration: Calibration
    recogniser: Recogniser | None
    language: str
    fingerprint: str
    """Of the yardsticks; see `trainable.probe.criteria.judge_fingerprint`."""

    @classmethod
    def open(cls, voice: ListenableModel, settings: ProbeSettings, calibration: Calibration, seed: int) -> Listener:
        """Raises InputError as the lines and the recogniser do."""
        lines = lines_for(settings.lines, voice.split)
        others = confirmation_lines(settings.lines, voice.split)
        return cls(
            voice,
            calibration,
            open_recogniser(settings.recogniser, calibration.vocabulary, settings.language),
            settings.language,
            freeze(calibration, settings, lines, others, seed).fingerprint,
        )

    def frame_cap(self, text: str) -> int:
        """See `Tempo.frame_cap`."""
        return self.calibration.tempo.frame_cap(text)

    def listen(
        self, lines: Sequence[ProbeLine], utterances: Sequence[Utterance], names: Sequence[str]
    ) -> list[SpokenLine]:
        """What one voice said, line by line. `names` of the recordings. All are heard as one batch."""
        waves = [each.wave for each in utterances]
        heard = self.recogniser.hear(waves) if self.recogniser else [None] * len(lines)
        spoken = zip(lines, utterances, heard, qualities(waves), names, strict=True)
        return [self._measure(*each) for each in spoken]

    def hear_voice(self, waves: Sequence[np.ndarray]) -> SpeakerMatch:
        """See `trainable.probe.measures.similarity.hear_voice`."""
        return hear_voice(waves, self._similarity, self.calibration.similarity_least, self.calibration.base_similarity)

    def _similarity(self, wave: np.ndarray) -> float:
        return self.calibration.similarity(self.voice.speaker_embedding(wave))

    def _measure(
        self, line: ProbeLine, utterance: Utterance, heard: str | None, quality: float | None, name: str
    ) -> SpokenLine:
        """A line with hardly any sound is not asked for voice or spectrum: it has none."""
        known, wave = self.calibration, utterance.wave
        expected = known.tempo.expected_seconds(line.text)
        measured = replace(measure(wave, line.text, heard, utterance.eos, expected, self.language), quality=quality)
        sounds = measured.speech_share > 0
        similarity = self._similarity(wave) if sounds else None
        distance = known.spectral_distance(wave) if sounds else None
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
            heard=measured.heard,
            audio=name,
            flags=flags,
            eos=utterance.eos,
            frames=utterance.frames,
            frame_cap=utterance.frame_cap,
            seconds=measured.seconds,
            expected_seconds=measured.expected_seconds,
            rms_dbfs=measured.rms_dbfs,
            speech_share=measured.speech_share,
            clipped_share=measured.clipped_share,
            character_error=measured.character_error,
            flatness=measured.flatness,
            repeated_share=measured.repeated_share,
            stutter=measured.stutter,
            longest_pause=measured.pauses.longest_inner,
            tail=measured.pauses.tail,
            pitch_range=measured.pitch_range,
            energy_range=measured.energy_range,
            similarity=similarity,
            spectral_distance=distance,
            quality=measured.quality,
            parts=parts,
            score=score_of(parts),
        )
