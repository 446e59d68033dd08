"""What the probe heard, line by line, and what it concludes.

What a probe lets a voice say.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from spaces.records.interval import ConfidenceInterval, wilson


class LineKind(StrEnum):
    """What a line is for."""

    ORDINARY = "ordinary"
    """A sentence of prose."""
    PASSAGE = "passage"
    """Several hundred letters: whether voice and end hold for that long."""
    OWN = "own"
    """The transcript of a clip that nobody trains on, so that a person's recording of the same text exists."""
    NUMBER = "number"
    """Numbers, dates or abbreviations, written as words."""
    QUESTION = "question"
    """A question or an exclamation."""
    SHORT = "short"
    """A word or two: whether it ends."""
    HARD = "hard"
    """What people stumble over as well. It is spoken and told, and decides nothing."""


class ProbeLine(BaseModel):
    """One text that is spoken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    kind: LineKind

    @property
    def decides(self) -> bool:
        """Whether a verdict and a score count it."""
        return self.kind is not LineKind.HARD


class Flag(StrEnum):
    """What is wrong with one spoken line, or with the voice of several."""

    NO_EOS = "no_eos"
    SILENT = "silent"
    CLIPPED = "clipped"
    NOISY = "noisy"
    LOOPED = "looped"
    TEMPO = "tempo"
    """Too fast, too slow, or a pause that is too long."""
    GARBLED = "garbled"
    VOICE_DRIFT = "voice_drift"
    """Not the voice any more; told of several lines together, since a likeness needs some seconds of speech."""
    FLAT = "flat"
    """Its pitch moves far less than in the voice's own clips. It rejects nothing."""

    @property
    def rejects(self) -> bool:
        return self is not Flag.FLAT


class ScoreParts(BaseModel):
    """What a line's score is made of, each in [0, 1] and higher where a listener is happier; None where unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: float | None
    """1 − the character error above that of the voice's own clips."""
    voice: float | None
    """Cosine to the voice over that of its own clips."""
    tempo: float
    """1 at the expected length, 0 at half or double."""
    liveliness: float | None
    """Ranges of pitch and energy over those of the voice's own clips, at most 1."""
    spectrum: float | None
    """1 at the distance that the voice's own clips keep from their mean spectrum, 0 at 10 dB more."""
    quality: float | None
    """1 at the perceived quality (DNSMOS) of the voice's own clips, 0 at 1.5 points less."""


class SpokenLine(BaseModel):
    """One probe line as the model spoke it, with every measure behind its flags."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    kind: LineKind = LineKind.ORDINARY
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
    flatness: float
    """Spectral flatness of the vowels, dB: higher is noisier."""
    repeated_share: float
    """Share of the speech that occurs again elsewhere in it."""
    stutter: float = 0.0
    """How alike a fragment of a tenth to half a second is to its own two returns, a cosine in [0, 1]."""
    longest_pause: float
    """Seconds without speech between two words."""
    tail: float
    """Seconds without speech after the last word."""
    pitch_range: float | None
    """90th minus 10th percentile of the pitch, semitones; None where too little is voiced."""
    energy_range: float | None
    """90th minus 10th percentile of the level while speaking, dB; None where too little is spoken."""
    similarity: float | None
    """Cosine of this line's speaker embedding and the mean of the dataset's own."""
    spectral_distance: float | None
    """Difference of long-term average spectra of this line and the dataset's own, root mean square in dB."""
    quality: float | None = None
    """DNSMOS, overall, 1–5; None where too little is spoken."""
    parts: ScoreParts | None = None
    """None of a line that did not end or is silent: its score is 0."""
    score: float
    """In [0, 1]: the weighted mean of the parts that are known."""

    @property
    def decides(self) -> bool:
        """Whether the verdict counts it."""
        return self.kind is not LineKind.HARD

    @property
    def failed(self) -> bool:
        """Whether it counts and a flag among its own rejects it."""
        return self.decides and any(flag.rejects for flag in self.flags)


class Verdict(BaseModel):
    """Accepted or rejected, with the flags that say why and the measures behind them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accepted: bool
    reasons: tuple[str, ...]
    """Sentences a person can act on; empty when accepted."""
    flags: dict[Flag, int]
    """Lines that carry the flag; of voice_drift, pieces of joined speech."""
    unknown: tuple[Flag, ...]
    """Flags that could not be judged, because nothing here can hear them. Never a silent pass."""
    failed_lines: int
    lines: tuple[SpokenLine, ...]
    planned_lines: int
    """Lines of the whole probe; fewer are spoken when the first ones already reject."""
    voice_similarity: float | None
    """Median cosine of pieces of joined speech, 7 s or more each, to the voice; None where hardly anything was said."""
    end_probability: float | None = None
    """Geometric mean of the probability of the end where held-out clips end, given all of the clip before; None where
    none is held out."""
    strength: float = Field(default=1.0, gt=0)
    """What the LoRA's output was multiplied with while it spoke."""
    notes: tuple[str, ...] = ()
    """What a person should know and decides nothing."""
    judge: str = ""
    """Fingerprint of the yardsticks: verdicts compare where it is equal."""
    score: float
    """Mean score of the lines that count, in [0, 1]."""

    @property
    def judged_lines(self) -> int:
        """Spoken lines that count."""
        return sum(line.decides for line in self.lines)

    @property
    def failure_rate(self) -> ConfidenceInterval:
        """Within which the share of lines that fail lies, with 95 % confidence."""
        return wilson(self.failed_lines, self.judged_lines)

    @property
    def missed_ends(self) -> int:
        """Lines that count and ran into their cap of frames."""
        return sum(line.decides and not line.eos for line in self.lines)
