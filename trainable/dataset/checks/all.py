"""Runs every check that needs no model: a dataset goes in, findings come out, errors first."""

from collections.abc import Iterable

import numpy as np

from trainable.dataset.checks import dataset as dataset_checks
from trainable.dataset.checks import recordings, references, transcripts
from trainable.dataset.checks.codes import check_codes
from trainable.dataset.checks.grouping import about_dataset, dataset_name
from trainable.dataset.clip import Clip, VoiceDataset
from trainable.dataset.finding import Finding, Severity

SEVERITIES = (Severity.ERROR, Severity.WARNING, Severity.NOTE)
"""In the order of a report."""
CHECKS = (*recordings.CHECKS, *transcripts.CHECKS, *references.CHECKS, *dataset_checks.CHECKS)


def check_dataset(dataset: VoiceDataset) -> list[Finding]:
    """Errors first, then warnings, then notes. A dataset without clips gives one error."""
    if not dataset.clips:
        return [about_dataset(dataset, "no-clips", Severity.ERROR, "no clips; expected recordings with transcripts")]
    findings = [finding for check in CHECKS for finding in check(dataset)]
    return by_severity([*findings, *check_given_codes(dataset)])


def check_given_codes(dataset: VoiceDataset) -> list[Finding]:
    """Checks the codes that a source brings. They are not trained on, but show how the dataset was made."""
    coded = [clip for clip in dataset.clips if clip.codes is not None]
    return check_codes(
        [clip.where for clip in coded],
        (_array(clip) for clip in coded),
        recordings=[clip.measures.sha256 for clip in coded],
        where=dataset_name(dataset),
    )


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first; findings of one severity keep their order."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def _array(clip: Clip) -> np.ndarray:
    """[frames, 16] int64; another shape where the source's codes have one."""
    try:
        return np.array(clip.codes, dtype=np.int64)
    except (ValueError, OverflowError, TypeError):
        return np.zeros((0, 0), dtype=np.int64)
