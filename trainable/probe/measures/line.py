"""Everything that is measured of one spoken line, and what the voice's own clips measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from trainable.probe.measures.level import clipped_share, rms_dbfs, speech_share
from trainable.probe.measures.missing_words import omitted_share
from trainable.probe.measures.noise import flatness
from trainable.probe.measures.pauses import Pauses, pauses
from trainable.probe.measures.prosody import energy_range_db, pitch_range_semitones
from trainable.probe.measures.sound_loops import repeated_share
from trainable.probe.measures.stutter import stutter
from trainable.speech.audio import SAMPLE_RATE
from trainable.speech.tempo import SHORT_LETTERS, letters
from trainable.speech.text.error_rate import character_error
from trainable.speech.text.numbers import ANY_LANGUAGE


@dataclass(frozen=True)
class LineMeasures:
    """One line as it was heard."""

    text: str
    heard: str | None
    """What the recogniser understood; None where none listens, or the text is not to be understood."""
    eos: bool
    seconds: float
    expected_seconds: float
    rms_dbfs: float
    speech_share: float
    clipped_share: float
    character_error: float | None
    flatness: float
    """See `noise.flatness`, dB."""
    repeated_share: float
    """See `loops.repeated_share`."""
    pauses: Pauses
    pitch_range: float | None
    """Semitones; None where too little is voiced."""
    energy_range: float | None
    """dB; None where too little is spoken."""
    quality: float | None = None
    """DNSMOS, overall, 1–5; None where too little is spoken."""
    stutter: float = 0.0
    """See `stutter.stutter`."""


class VoiceMeasures(BaseModel):
    """Of the voice's own clips through the codec and back, one number a clip: what a line is judged against."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    character_errors: tuple[float, ...] = ()
    """Of clips long enough to judge; empty without a recogniser."""
    omitted_shares: tuple[float, ...] = ()
    """See `omissions.omitted_share`; of clips whose words were understood."""
    flatness: tuple[float, ...] = ()
    inner_pauses: tuple[float, ...] = ()
    pitch_ranges: tuple[float, ...] = ()
    energy_ranges: tuple[float, ...] = ()
    qualities: tuple[float, ...] = ()
    tempos: tuple[float, ...] = ()
    """Lengths over the expected ones, of clips that are not short."""

    @property
    def character_error_p95(self) -> float | None:
        return float(np.percentile(self.character_errors, 95)) if self.character_errors else None


def measure(
    wave: np.ndarray, text: str, heard: str | None, eos: bool, expected_seconds: float, language: str = ANY_LANGUAGE
) -> LineMeasures:
    """wave: [samples] float32 at 24 kHz. `heard` is None where nobody listened; `language` is that of the text. Samples
    that are no finite numbers make the level none either, which counts as silent."""
    return LineMeasures(
        text=text,
        heard=heard,
        eos=eos,
        seconds=wave.size / SAMPLE_RATE,
        expected_seconds=expected_seconds,
        rms_dbfs=rms_dbfs(wave) if np.isfinite(wave).all() else float("nan"),
        speech_share=speech_share(wave),
        clipped_share=clipped_share(wave),
        character_error=character_error(text, heard, language) if heard is not None else None,
        flatness=flatness(wave),
        repeated_share=repeated_share(wave),
        stutter=stutter(wave),
        pauses=pauses(wave),
        pitch_range=pitch_range_semitones(wave),
        energy_range=energy_range_db(wave),
    )


def own_measures(clips: Sequence[LineMeasures]) -> VoiceMeasures:
    """What lines are judged against, of the clips of the ground truth."""
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
