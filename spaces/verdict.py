"""What the probe heard, line by line, and what it concludes."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Flag(StrEnum):
    """A reason to reject one spoken line."""

    NO_EOS = "no_eos"
    SILENT = "silent"
    CLIPPED = "clipped"
    TEMPO = "tempo"
    GARBLED = "garbled"


class SpokenLine(BaseModel):
    """One probe line as the model spoke it, with every measure behind its flags."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    heard: str | None
    """What the recogniser understood; None where no recogniser listens."""
    audio: str
    """The recording, relative to the folder of the trial."""
    flags: tuple[Flag, ...]
    eos: bool
    frames: int
    """Codec frames at 12.5 per second."""
    frame_cap: int
    seconds: float
    expected_seconds: float
    rms_dbfs: float
    speech_share: float
    """Share of 20 ms windows above -45 dBFS."""
    clipped_share: float
    """Share of samples at or above 0.985 of full scale."""
    character_error: float | None
    similarity: float | None
    """Cosine of this line's speaker embedding and the mean of the dataset's own."""
    spectral_distance: float | None
    """Difference of long-term average spectra of this line and the dataset's own, root mean square in dB."""
    score: float
    """In [0, 1]: words understood, voice, spectrum and tempo, each counted the same where it is known."""


class Verdict(BaseModel):
    """Accepted or rejected, with the flags that say why and the measures behind them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accepted: bool
    reasons: tuple[str, ...]
    """Sentences a person can act on; empty when accepted."""
    flags: dict[Flag, int]
    """Lines that carry the flag."""
    unknown: tuple[Flag, ...]
    """Flags that could not be judged, because nothing here can hear them. Never a silent pass."""
    failed_lines: int
    lines: tuple[SpokenLine, ...]
    planned_lines: int
    """Lines of the whole probe; fewer are spoken when the first ones already reject."""
    score: float
    """Mean of the lines' scores, in [0, 1]."""
