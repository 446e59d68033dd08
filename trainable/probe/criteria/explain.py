"""Explains how a line is judged: every measure with its healthy range and where that comes from."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from spaces.frozen_model import FrozenModel
from trainable.probe.criteria.criteria_table import CRITERIA, Flag
from trainable.probe.criteria.criterion import Criterion, HealthyRange, LineMeasures, VoiceMeasures, at_least
from trainable.probe.criteria.judge import MEDIAN_TEMPO
from trainable.probe.measures.similarity import SIMILARITY_MARGIN, SpeakerSimilarity

DEFAULT = "the default threshold"
VOICE = "the voice's own recordings"


class ExplainedMeasure(FrozenModel):
    """One measure of one recording."""

    value: float | None
    """None where it could not be measured."""
    threshold: HealthyRange | None
    """None where it is unknown."""
    origin: str
    """A sentence on what is measured and where the threshold comes from."""
    flag: str | None
    """The flag that a value beyond the threshold raises; None for a measure without a flag."""

    @property
    def is_beyond(self) -> bool:
        """False where the value or the threshold is unknown."""
        return self.value is not None and self.threshold is not None and self.value not in self.threshold


class CriterionRow(FrozenModel):
    """One criterion, as judge.json, the listening page and `--criteria` show it."""

    flag: str | None
    measure: str
    about: str
    healthy: HealthyRange | None
    """None where it is not known."""
    origin: str
    """What the range comes from."""
    advice: str


@dataclass(frozen=True)
class JudgingContext:
    """What is known apart from the recording."""

    pace: str | None
    """Where the expected length comes from, in words that finish a sentence; None without an expected length."""
    own: VoiceMeasures
    clips: int
    """Number of recordings behind `own`."""
    similarity: SpeakerSimilarity = SpeakerSimilarity()


def explain(line: LineMeasures, context: JudgingContext) -> dict[str, ExplainedMeasure]:
    """Every measure that the line can be judged by, under its name, with the range that applies.

    A range is None where the flag cannot be judged by that measure: `RecordingVerdict.unknown` says why.
    """
    explained = {}
    for criterion in CRITERIA:
        value = line.values.get(criterion.name)
        if value is None and not criterion.applies(line):
            continue
        unpaced = criterion.on_pace and context.pace is None
        pace = f"; {context.pace or 'no pace is known for this script without --like'}" if criterion.on_pace else ""
        explained[criterion.name] = ExplainedMeasure(
            value=None if unpaced else value,
            threshold=None if unpaced else criterion.range_for(line, context.own),
            origin=_sentence(f"{criterion.about}; {_origin(criterion, line, context)}{pace}"),
            flag=criterion.flag,
        )
    similarity = context.similarity
    explained["voice_similarity"] = ExplainedMeasure(
        value=similarity.similarity,
        threshold=at_least(similarity.threshold),
        origin="Cosine of the voice to the one it is compared with; the threshold is "
        f"{similarity.origin or 'not known'}.",
        flag=Flag.VOICE_DRIFT,
    )
    return explained


def criteria_rows(own: VoiceMeasures, similarity_least: float | None = None) -> list[CriterionRow]:
    """The whole table for a voice with these measures.

    `similarity_least` is the least similarity among the voice's own joined clips.
    """
    drift = None if similarity_least is None else similarity_least - SIMILARITY_MARGIN
    return [*(_row(criterion, own) for criterion in CRITERIA), *_probe_rows(drift)]


def _probe_rows(drift: float | None) -> Iterator[CriterionRow]:
    """Criteria that are judged over all lines of a probe."""
    yield CriterionRow(
        flag=Flag.TEMPO,
        measure="median_tempo",
        about="median of length over expected length, over the lines of a probe",
        healthy=HealthyRange(least=MEDIAN_TEMPO[0], most=MEDIAN_TEMPO[1]),
        origin=DEFAULT,
        advice=Flag.TEMPO.advice,
    )
    yield CriterionRow(
        flag=Flag.VOICE_DRIFT,
        measure="voice_similarity",
        about=f"cosine of joined speech to the voice, up to {SIMILARITY_MARGIN:g} below the least of its recordings",
        healthy=at_least(drift),
        origin=f"{VOICE} and the base model's clone",
        advice=Flag.VOICE_DRIFT.advice,
    )


def _row(criterion: Criterion, own: VoiceMeasures) -> CriterionRow:
    line = next(line for line in TYPICAL_LINES if criterion.applies(line))
    healthy = criterion.range_for(line, own)
    is_default = healthy is not None and healthy == criterion.range_for(line, VoiceMeasures())
    return CriterionRow(
        flag=criterion.flag,
        measure=criterion.name,
        about=criterion.about,
        healthy=healthy,
        origin=DEFAULT if not criterion.from_voice else f"{DEFAULT}, or {VOICE}" if is_default else VOICE,
        advice=next((flag.advice for flag in Flag if flag == criterion.flag), ""),
    )


def _typical(text: str, expected_seconds: float) -> LineMeasures:
    return LineMeasures(text, text, expected_seconds, expected_seconds, {"ended": 1.0})


TYPICAL_LINES = (
    _typical("she folded the letter twice and put it back behind the clock", 4.0),
    _typical("what else?", 1.0),
)
"""Stand for the lines of a probe where a range depends on the line: most of them, and short ones."""


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _origin(criterion: Criterion, line: LineMeasures, context: JudgingContext) -> str:
    own, clips = context.own.of(criterion.name), context.clips
    healthy, default = criterion.healthy(own, line), criterion.healthy((), line)
    if healthy is None and own:
        return f"the median of {len(own)} recordings of this one is {median(own):.3g}"
    if healthy is None:
        return "nothing to compare it with without --like"
    return DEFAULT if healthy == default else f"the threshold is from {clips} recordings of the same voice"
