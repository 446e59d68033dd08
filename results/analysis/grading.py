"""Grades of a trial's measures on the scales of its space."""

from typing import NamedTuple

from spaces.grades import Grade, Grades, Scale
from spaces.records.trial import Point
from spaces.records.verdict import Verdict

MIN_LETTERS = 12
"""Shorter lines are left out of the word error rate, because a single recognition error dominates them."""


class GradedValue(NamedTuple):
    value: float
    grade: Grade


def grade_values(
    grades: Grades, objective: str | None, point: Point | None, verdict: Verdict | None
) -> dict[str, GradedValue]:
    """Grades every measure that has a scale and a value, by its field in `Grades`.

    `point` is the curve at the probed checkpoint, `verdict` the last one. The base model has no objective and no point.
    """
    measures: dict[str, tuple[Scale | None, float | None]] = {
        "loss": (grades.loss, point.losses[objective] if point and objective else None),
        "validation_loss": (
            grades.validation_loss,
            point.validation[objective] if point and objective and point.validation else None,
        ),
        "mos": (grades.mos, _mean_quality(verdict) if verdict else None),
        "wer": (grades.wer, word_error_rate(verdict) if verdict and grades.wer else None),
        "similarity": (grades.similarity, verdict.voice_similarity if verdict else None),
    }
    return {
        name: GradedValue(value, scale.grade(value))
        for name, (scale, value) in measures.items()
        if scale is not None and value is not None
    }


def word_error_rate(verdict: Verdict) -> float | None:
    """Word error rate over all deciding lines that are long enough; None without a recogniser."""
    import jiwer

    from trainable.speech.text.error_rate import normalise

    pairs = [
        (normalise(line.text), normalise(line.heard))
        for line in verdict.lines
        if line.decides and line.heard is not None and sum(map(str.isalnum, line.text)) >= MIN_LETTERS
    ]
    return float(jiwer.wer([text for text, _ in pairs], [heard for _, heard in pairs])) if pairs else None


def _mean_quality(verdict: Verdict) -> float | None:
    known = [quality for line in verdict.lines if line.decides and (quality := line.measures.get("dnsmos")) is not None]
    return sum(known) / len(known) if known else None
