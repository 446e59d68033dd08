"""Everything that is checked of a dataset without a model."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from trainable.dataset.checks import dataset as set_checks
from trainable.dataset.checks import recordings, references, transcripts
from trainable.dataset.checks.codes import check_codes
from trainable.dataset.checks.grouping import whole
from trainable.dataset.clip import Clip, VoiceDataset
from trainable.dataset.finding import Finding, Severity

ORDER = (Severity.ERROR, Severity.WARNING, Severity.NOTE)
CHECKS = (*recordings.CHECKS, *transcripts.CHECKS, *references.CHECKS, *set_checks.CHECKS)


def check_dataset(dataset: VoiceDataset) -> list[Finding]:
    """Runs every check; errors come first, then warnings, then notes. A dataset without clips has one error."""
    if not dataset.clips:
        message = "no clips; expected recordings with their transcripts"
        return [Finding(severity=Severity.ERROR, check="no-clips", where=whole(dataset), message=message)]
    found = [finding for check in CHECKS for finding in check(dataset)]
    return by_severity([*found, *brought_codes(dataset)])


def brought_codes(dataset: VoiceDataset) -> list[Finding]:
    """Of the codes that a source brings, which tell how it was made, though nothing is trained on them."""
    coded = [clip for clip in dataset.clips if clip.codes is not None]
    return check_codes(
        [clip.where for clip in coded],
        (_array(clip) for clip in coded),
        recordings=[clip.measures.sha256 for clip in coded],
        where=whole(dataset),
    )


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first; findings of one severity keep their order."""
    return sorted(findings, key=lambda finding: ORDER.index(finding.severity))


def _array(clip: Clip) -> np.ndarray:
    """[frames, 16] int64; of another shape where the source's rows are."""
    try:
        return np.array(clip.codes, dtype=np.int64)
    except (ValueError, OverflowError, TypeError):
        return np.zeros((0, 0), dtype=np.int64)
