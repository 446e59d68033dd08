"""Records of a probe: its lines, what was heard of each, and the verdict."""

from enum import StrEnum
from typing import Any

from pydantic import Field, model_validator

from spaces.frozen_model import FrozenModel
from spaces.records.interval import ConfidenceInterval, wilson


class LineKind(StrEnum):
    """What a line tests."""

    ORDINARY = "ordinary"
    """A sentence of prose."""
    PASSAGE = "passage"
    """Several hundred letters: whether the voice stays the same and the speech still ends."""
    OWN = "own"
    """The transcript of a held-out clip, so that a recording of the same text exists."""
    NUMBER = "number"
    """Numbers, dates or abbreviations, written as words."""
    QUESTION = "question"
    """A question or an exclamation."""
    SHORT = "short"
    """A word or two: whether the speech ends."""
    HARD = "hard"
    """A tongue-twister or the like. It is spoken and reported, but decides nothing."""


class ProbeLine(FrozenModel):
    """One text to speak."""

    text: str
    kind: LineKind

    @property
    def decides(self) -> bool:
        """Whether the line counts in the verdict and the score."""
        return self.kind is not LineKind.HARD


class ScoreParts(FrozenModel):
    """Parts of a line's score, each in [0, 1], higher is better; None where unknown."""

    words: float | None
    """1 − the character error rate in excess of that of the voice's own clips."""
    voice: float | None
    """Cosine similarity to the voice, relative to that of its own clips."""
    tempo: float
    """1 at the expected duration, 0 at half or double."""
    liveliness: float | None
    """Ranges of pitch and energy relative to those of the voice's own clips, at most 1."""
    spectrum: float | None
    """1 at the mean distance of the voice's own clips from their mean spectrum, 0 at 10 dB more."""
    quality: float | None
    """1 at the perceived quality (DNSMOS) of the voice's own clips, 0 at 1.5 points less."""


class SpokenLine(FrozenModel):
    """One probe line as the model spoke it, with all measures behind its flags."""

    text: str
    kind: LineKind = LineKind.ORDINARY
    heard: str | None
    """The recogniser's transcript; None without a recogniser."""
    audio: str
    """The recording, relative to the folder of the trial."""
    flags: tuple[str, ...]
    """Faults, as `trainable.probe.criteria.criteria_table.Flag` names them."""
    failed: bool
    """Whether the line counts and has a flag that rejects."""
    eos: bool
    frames: int
    """Codec frames at 12.5 per second."""
    frame_cap: int
    seconds: float
    expected_seconds: float
    measures: dict[str, float | None]
    """By name of criterion (`trainable.probe.criteria.criteria_table`); None where it could not be measured."""
    similarity: float | None
    """Cosine of this line's speaker embedding and the mean embedding of the dataset."""
    spectral_distance: float | None
    """Root mean square difference of the long-term average spectra of this line and the dataset, dB."""
    parts: ScoreParts | None = None
    """None for a line that did not end or is silent: its score is 0."""
    score: float
    """In [0, 1]: the weighted mean of the known parts."""

    @property
    def decides(self) -> bool:
        """Whether the line counts in the verdict and the score."""
        return self.kind is not LineKind.HARD

    @model_validator(mode="before")
    @classmethod
    def _read_older(cls, data: Any) -> Any:
        """Older ledgers have one field for each measure, and do not say which lines failed."""
        if not isinstance(data, dict) or "measures" in data:
            return data
        measures = {name: data.get(field) for field, name in EARLIER_MEASURES.items()}
        failed = data.get("kind") != LineKind.HARD and any(flag != "flat" for flag in data.get("flags", ()))
        known = {field: value for field, value in data.items() if field not in (*EARLIER_MEASURES, "rms_dbfs")}
        return {**known, "measures": measures, "failed": failed}


EARLIER_MEASURES = {
    "speech_share": "speech_share",
    "clipped_share": "clipped_share",
    "character_error": "character_error",
    "flatness": "flatness_db",
    "repeated_share": "repeated_share",
    "stutter": "stutter",
    "longest_pause": "inner_pause_seconds",
    "tail": "tail_seconds",
    "pitch_range": "pitch_range_semitones",
    "energy_range": "energy_range_db",
    "quality": "dnsmos",
}


class Verdict(FrozenModel):
    """Accepted or rejected, with the flags that say why and the measures of every line."""

    accepted: bool
    reasons: tuple[str, ...]
    """Sentences that the user can act on; empty when accepted."""
    flags: dict[str, int]
    """Number of lines with each flag; for voice_drift, of pieces of joined speech."""
    unknown: tuple[str, ...]
    """Flags that could not be judged, for want of a recogniser or speaker encoder. They are reported, never passed."""
    failed_lines: int
    lines: tuple[SpokenLine, ...]
    planned_lines: int
    """Lines of the whole probe; fewer are spoken when the first lines already reject."""
    voice_similarity: float | None
    """Median cosine of pieces of joined speech, each 7 s or more, to the voice; None with too little speech."""
    end_probability: float | None = None
    """Geometric mean of the probability of EOS at the end of the held-out clips, teacher-forced; None without held-out
    clips."""
    strength: float = Field(default=1.0, gt=0)
    """Factor on the LoRA's output while it spoke."""
    notes: tuple[str, ...] = ()
    """Sentences that the user should know and that decide nothing."""
    judge: str = ""
    """Fingerprint of the criteria; only verdicts with equal fingerprints are comparable."""
    score: float
    """Mean score of the deciding lines, in [0, 1]."""

    @property
    def judged_lines(self) -> int:
        """Number of spoken lines that count."""
        return sum(line.decides for line in self.lines)

    @property
    def failure_rate(self) -> ConfidenceInterval:
        """95 % interval of the share of lines that fail."""
        return wilson(self.failed_lines, self.judged_lines)

    @property
    def missed_ends(self) -> int:
        """Number of deciding lines that were cut off at their cap of frames."""
        return sum(line.decides and not line.eos for line in self.lines)
