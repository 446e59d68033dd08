"""The types behind the table of criteria: what is measured of a spoken line, and the values of a healthy one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import model_validator

from spaces.frozen_model import FrozenModel
from trainable.speech.audio import SAMPLE_RATE
from trainable.speech.tempo import letters
from trainable.speech.text.error_rate import MIN_JUDGED_LETTERS
from trainable.speech.text.number_words import ANY_LANGUAGE


@dataclass(frozen=True)
class SpokenClip:
    """A recording of a known text."""

    wave: np.ndarray
    """[samples] float32 at 24 kHz."""
    text: str
    expected_seconds: float
    heard: str | None = None
    """Transcript of the recogniser; None without a recogniser."""
    eos: bool | None = None
    """Whether the model sampled its end-of-speech code; None where that is unknown."""
    language: str = ANY_LANGUAGE
    whole_seconds: float | None = None
    """Length of the recording where the wave is only its start; None where the wave is all of it."""

    @property
    def seconds(self) -> float:
        return self.wave.size / SAMPLE_RATE if self.whole_seconds is None else self.whole_seconds


@dataclass(frozen=True)
class LineMeasures:
    """The measures of one line, without its audio."""

    text: str
    heard: str | None
    seconds: float
    expected_seconds: float
    values: Mapping[str, float | None]
    """By name of criterion; None or missing where it could not be measured."""


class VoiceMeasures(FrozenModel):
    """Measures of the voice's own clips, decoded from their codes. Lines are judged against them."""

    values: dict[str, tuple[float, ...]] = {}
    """By name of criterion, one value for each clip that it could be measured on."""

    def of(self, name: str) -> tuple[float, ...]:
        return self.values.get(name, ())

    @model_validator(mode="before")
    @classmethod
    def _read_older(cls, data: Any) -> Any:
        """Older calibrations have one field for each measure."""
        if not isinstance(data, dict) or not data.keys() & EARLIER_FIELDS.keys():
            return data
        return {"values": {EARLIER_FIELDS[name]: values for name, values in data.items()}}


EARLIER_FIELDS = {
    "character_errors": "character_error",
    "omitted_shares": "omitted_share",
    "flatness": "flatness_db",
    "inner_pauses": "inner_pause_seconds",
    "pitch_ranges": "pitch_range_semitones",
    "energy_ranges": "energy_range_db",
    "qualities": "dnsmos",
    "tempos": "tempo",
}


class HealthyRange(FrozenModel):
    """The values of a healthy line, both ends included; None for an open end."""

    least: float | None = None
    most: float | None = None

    def __contains__(self, value: float) -> bool:
        return not (self.least is not None and value < self.least) and not (self.most is not None and value > self.most)

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            return f"{self.least:.3g} to {self.most:.3g}"
        return f"at least {self.least:.3g}" if self.least is not None else f"at most {self.most:.3g}"


Healthy = Callable[[Sequence[float], LineMeasures], HealthyRange | None]
"""The range of healthy values, given this measure of the voice's own clips and the line; None where it is unknown."""


def at_least(least: float | None) -> HealthyRange | None:
    return None if least is None else HealthyRange(least=least)


def at_most(most: float | None) -> HealthyRange | None:
    return None if most is None else HealthyRange(most=most)


@dataclass(frozen=True)
class Criterion:
    """One measure of a line, and which values are healthy."""

    name: str
    """As in ledgers and in `--json`."""
    flag: str | None
    """What an unhealthy value raises; None for a measure that only counts in the score."""
    about: str
    """What is measured, and its unit."""
    measure: Callable[[SpokenClip], float | None] | None
    """None where clips are measured in batches, by the caller."""
    healthy: Healthy = lambda own, line: None
    applies: Callable[[LineMeasures], bool] = lambda line: True
    """Whether the line can be judged by it."""
    on_words: bool = False
    """Whether it is measured on the transcript: unknown without one, and not judged for texts of few letters."""
    on_few_letters: bool = False
    """Whether it judges, by the transcript, the texts of few letters that other measures of words leave out."""
    on_pace: bool = False
    """Whether it needs the expected length."""
    from_voice: bool = False
    """Whether the voice's own clips are measured too, for `healthy` to compare with."""

    def range_for(self, line: LineMeasures, own: VoiceMeasures) -> HealthyRange | None:
        """None where the line cannot be judged by this measure."""
        has_few_letters = letters(line.text) < MIN_JUDGED_LETTERS
        if self.on_words and (line.heard is None or has_few_letters is not self.on_few_letters):
            return None
        return self.healthy(own.of(self.name), line) if self.applies(line) else None

    def judges(self, line: LineMeasures, own: VoiceMeasures) -> bool:
        """Whether both the value and the range are known."""
        return line.values.get(self.name) is not None and self.range_for(line, own) is not None

    def is_unhealthy(self, line: LineMeasures, own: VoiceMeasures) -> bool:
        """False where it cannot be judged: a flag that none of its criteria judges is reported as unknown."""
        value, healthy = line.values.get(self.name), self.range_for(line, own)
        return value is not None and healthy is not None and value not in healthy
