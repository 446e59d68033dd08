"""Measures one spoken line: wave, text and transcript in, `LineMeasures` out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spaces.frozen_model import FrozenModel
from trainable.probe.measures.level import clipped_share, speech_share
from trainable.probe.measures.missing_words import omitted_share
from trainable.probe.measures.noise import flatness
from trainable.probe.measures.pauses import Pauses, measure_pauses
from trainable.probe.measures.prosody import energy_range_db, pitch_range_semitones
from trainable.probe.measures.sound_loops import repeated_share
from trainable.probe.measures.stutter import stutter
from trainable.speech.audio import SAMPLE_RATE
from trainable.speech.tempo import SHORT_LETTERS, letters
from trainable.speech.text.error_rate import character_error
from trainable.speech.text.numbers import ANY_LANGUAGE


@dataclass(frozen=True)
class LineMeasures:
    """The measures of one line; fields that `SpokenLine` has too bear the same names."""

    text: str
    heard: str | None
    """Transcript of the recogniser; None without a recogniser."""
    eos: bool
    seconds: float
    expected_seconds: float
    speech_share: float
    clipped_share: float
    character_error: float | None
    flatness: float
    """See `noise.flatness`, dB."""
    repeated_share: float
    """See `sound_loops.repeated_share`."""
    pauses: Pauses
    pitch_range: float | None
    """Semitones; None with too little voiced speech."""
    energy_range: float | None
    """dB; None with too little speech."""
    quality: float | None = None
    """DNSMOS overall, 1–5; None with too little speech."""
    stutter: float = 0.0
    """See `stutter.stutter`."""


class VoiceMeasures(FrozenModel):
    """Measures of the voice's own clips, decoded from their codes, one number a clip. Lines are judged against them."""

    character_errors: tuple[float, ...] = ()
    """Of clips long enough to judge; empty without a recogniser."""
    omitted_shares: tuple[float, ...] = ()
    """See `missing_words.omitted_share`; of clips that were transcribed."""
    flatness: tuple[float, ...] = ()
    inner_pauses: tuple[float, ...] = ()
    pitch_ranges: tuple[float, ...] = ()
    energy_ranges: tuple[float, ...] = ()
    qualities: tuple[float, ...] = ()
    tempos: tuple[float, ...] = ()
    """Length over expected length, of clips that are not short."""

    @property
    def character_error_p95(self) -> float | None:
        return float(np.percentile(self.character_errors, 95)) if self.character_errors else None


def measure_line(
    wave: np.ndarray, text: str, heard: str | None, eos: bool, expected_seconds: float, language: str = ANY_LANGUAGE
) -> LineMeasures:
    """Measures a wave, [samples] float32 at 24 kHz, that speaks `text` in `language`.

    `heard` is its transcript, None without a recogniser.
    """
    return LineMeasures(
        text=text,
        heard=heard,
        eos=eos,
        seconds=wave.size / SAMPLE_RATE,
        expected_seconds=expected_seconds,
        speech_share=speech_share(wave),
        clipped_share=clipped_share(wave),
        character_error=character_error(text, heard, language) if heard is not None else None,
        flatness=flatness(wave),
        repeated_share=repeated_share(wave),
        stutter=stutter(wave),
        pauses=measure_pauses(wave),
        pitch_range=pitch_range_semitones(wave),
        energy_range=energy_range_db(wave),
    )


def voice_measures(clips: Sequence[LineMeasures]) -> VoiceMeasures:
    """Collects the measures of the voice's own clips."""
    return VoiceMeasures(
        character_errors=tuple(clip.character_error for clip in clips if clip.character_error is not None),
        omitted_shares=tuple(omitted_share(clip.text, clip.heard) for clip in clips if clip.heard is not None),
        flatness=tuple(clip.flatness for clip in clips),
        inner_pauses=tuple(clip.pauses.longest_inner for clip in clips),
        pitch_ranges=tuple(clip.pitch_range for clip in clips if clip.pitch_range is not None),
        energy_ranges=tuple(clip.energy_range for clip in clips if clip.energy_range is not None),
        qualities=tuple(clip.quality for clip in clips if clip.quality is not None),
        tempos=tuple(clip.seconds / clip.expected_seconds for clip in clips if letters(clip.text) >= SHORT_LETTERS),
    )
