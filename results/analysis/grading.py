"""How far a trial comes on the scales of its space."""

from __future__ import annotations

from typing import NamedTuple

from spaces.draw import Objective
from spaces.grades import Grade, Grades
from spaces.records.trial import Point
from spaces.records.verdict import Verdict

MIN_LETTERS = 12
"""A recogniser makes too much of shorter lines."""


class GradedValue(NamedTuple):
    value: float
    grade: Grade


def grade_values(
    grades: Grades, objective: Objective | None, point: Point | None, verdict: Verdict | None
) -> dict[str, GradedValue]:
    """By the names of the fields of `Grades`: what has a scale and was measured. `verdict` is the one with the last
    word, `point` the curve at what was probed; a base model has neither point nor objective."""
    measured = {
        "loss": point.losses.of(objective) if point and objective else None,
        "validation_loss": point.validation.of(objective) if point and objective and point.validation else None,
        "mos": _mean_quality(verdict) if verdict else None,
        "wer": word_error_rate(verdict) if verdict else None,
        "similarity": verdict.voice_similarity if verdict else None,
    }
    found = {}
    for name, value in measured.items():
        scale = getattr(grades, name)
        if scale is not None and value is not None:
            found[name] = GradedValue(value, scale.grade(value))
    return found


def word_error_rate(verdict: Verdict) -> float | None:
    """Over all lines that count and are long enough to judge; None where nobody listened."""
    import jiwer

    from trainable.speech.text.error_rate import words

    lines = [line for line in verdict.lines if line.decides and line.heard is not None]
    pairs = [(words(line.text), words(line.heard)) for line in lines if sum(map(str.isalnum, line.text)) >= MIN_LETTERS]
    return float(jiwer.wer([text for text, _ in pairs], [heard for _, heard in pairs])) if pairs else None


def _mean_quality(verdict: Verdict) -> float | None:
    known = [line.quality for line in verdict.lines if line.decides and line.quality is not None]
    return sum(known) / len(known) if known else None
