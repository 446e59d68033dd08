"""Measures spoken clips by every criterion of the table, and says which flags their measures raise."""

from collections.abc import Sequence
from dataclasses import replace

from trainable.probe.criteria.criteria_table import CRITERIA, Flag
from trainable.probe.criteria.criterion import Criterion, LineMeasures, SpokenClip, VoiceMeasures


def measure_line(clip: SpokenClip) -> LineMeasures:
    """All measures of one clip, but for those that are measured in batches."""
    return LineMeasures(clip.text, clip.heard, clip.seconds, clip.expected_seconds, _values(clip, CRITERIA))


def with_transcript(line: LineMeasures, clip: SpokenClip) -> LineMeasures:
    """The line with the measures of the clip's transcript; its sound is not measured again."""
    of_words = [criterion for criterion in CRITERIA if criterion.on_words]
    return replace(line, heard=clip.heard, values={**line.values, **_values(clip, of_words)})


def with_quality(line: LineMeasures, quality: float | None) -> LineMeasures:
    """The line with its DNSMOS, measured by `dnsmos.overall_qualities`."""
    return replace(line, values={**line.values, "dnsmos": quality})


def voice_measures(clips: Sequence[LineMeasures]) -> VoiceMeasures:
    """Collects the measures of the voice's own clips, which lines are compared with."""
    names = [criterion.name for criterion in CRITERIA if criterion.from_voice]
    values = {name: [clip.values.get(name) for clip in clips] for name in names}
    return VoiceMeasures(
        values={name: tuple(value for value in each if value is not None) for name, each in values.items()}
    )


def flags_of(line: LineMeasures, own: VoiceMeasures) -> tuple[Flag, ...]:
    """All flags of one line, in the order of `Flag`. A flag that cannot be judged is not raised."""
    raised = {criterion.flag for criterion in CRITERIA if criterion.flag and criterion.is_unhealthy(line, own)}
    return tuple(flag for flag in Flag if flag in raised)


def _values(clip: SpokenClip, criteria: Sequence[Criterion]) -> dict[str, float | None]:
    return {
        criterion.name: None if criterion.on_words and clip.heard is None else criterion.measure(clip)
        for criterion in criteria
        if criterion.measure is not None
    }
