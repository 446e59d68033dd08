"""Checks whether codec codes can be those of speech.

A public run reached a loss of 0.0000 within 30 steps because every clip of its dataset had the same single frame of
codes.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from trainable.dataset.finding import Finding, Severity
from trainable.dataset.formatting import first_few

CODEBOOKS = 16
MIN_ENTROPY = 2.0
"""Bits of codebook 0 over a whole dataset. Four equally frequent codes have 2 bits; speech has several times that."""
ENTROPY_FRAMES = 100
"""The entropy of fewer frames says little."""
STUCK_SHARE = 0.9
STUCK_FRAMES = 10
"""Shorter clips are not checked for equal frames."""


def check_codes(
    names: Sequence[str], codes: Iterable[np.ndarray], recordings: Sequence[str] | None = None, where: str = "codes"
) -> list[Finding]:
    """Checks the codes of each clip as they are iterated over, without keeping them.

    codes: [frames, 16] integers per clip, in the order of `names`. `recordings` identifies each clip's recording, as
    equal recordings rightly have equal codes; without it all are different. Raises ValueError unless there are as many
    codes as names.
    """
    tally = _Tally()
    for name, recording, each in zip(names, recordings or range(len(names)), codes, strict=True):
        tally.add(name, str(recording), np.asarray(each))
    return tally.findings(where)


class _Tally:
    """Hashes and histograms of the codes seen so far."""

    def __init__(self) -> None:
        self._clips: dict[bytes, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._first: Counter[int] = Counter()
        self._frames: Counter[int] = Counter()
        self._misshapen: list[str] = []
        self._negative: list[str] = []
        self._stuck: list[str] = []

    def add(self, name: str, recording: str, codes: np.ndarray) -> None:
        if codes.ndim != 2 or codes.shape[1] != CODEBOOKS or not len(codes) or codes.dtype.kind not in "iu":
            self._misshapen.append(f"{name} ({' × '.join(map(str, codes.shape))} {codes.dtype})")
            return
        codes = np.ascontiguousarray(codes, dtype=np.int64)
        if codes.min() < 0:
            self._negative.append(f"{name} ({codes.min()})")
            return
        self._frames[len(codes)] += 1
        self._clips[hashlib.sha256(codes.tobytes()).digest()][recording].append(name)
        values, counts = np.unique(codes[:, 0], return_counts=True)
        self._first.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        if len(codes) >= STUCK_FRAMES:
            most = np.unique(codes, axis=0, return_counts=True)[1].max()
            if most > STUCK_SHARE * len(codes):
                self._stuck.append(f"{name} ({most} of {len(codes)})")

    def findings(self, where: str) -> list[Finding]:
        faults = [
            (
                Severity.ERROR,
                "code-shape",
                self._misshapen,
                f"codes that are not integers of shape [frames, {CODEBOOKS}]",
                "make them with the codec of this model family",
            ),
            (
                Severity.ERROR,
                "code-range",
                self._negative,
                "codes below 0",
                "padding or a label mask was written into them; encode the audio again",
            ),
            (
                Severity.WARNING,
                "stuck-codes",
                self._stuck,
                f"more than {STUCK_SHARE:.0%} of all frames equal",
                "that is silence or one tone; listen to the recordings",
            ),
        ]
        found = [
            Finding(
                severity=severity,
                check=check,
                where=where,
                message=f"{len(clips)} clip(s) with {fault}: {first_few(clips)}; {advice}",
                clips=tuple(clips),
            )
            for severity, check, clips, fault, advice in faults
            if clips
        ]
        return [*self._identical(where), *self._single(where), *found, *self._collapsed(where)]

    def _identical(self, where: str) -> list[Finding]:
        groups = [
            [name for names in by_recording.values() for name in names]
            for by_recording in self._clips.values()
            if len(by_recording) > 1
        ]
        return [
            Finding(
                severity=Severity.ERROR,
                check="identical-codes",
                where=where,
                message=(
                    f"{len(group)} clips have identical codes, but are different recordings: {first_few(group)}. "
                    "On such codes the loss falls to 0 and nothing of the voice is learned; encode each recording by "
                    "itself"
                ),
                clips=tuple(group),
            )
            for group in groups
        ]

    def _single(self, where: str) -> list[Finding]:
        if set(self._frames) != {1}:
            return []
        message = (
            f"each of the {self._frames[1]} clips has one frame of codes, which is 80 ms; the codes were cut off. "
            "Encode the whole of each recording"
        )
        return [Finding(severity=Severity.ERROR, check="single-frame", where=where, message=message)]

    def _collapsed(self, where: str) -> list[Finding]:
        counts = np.array(list(self._first.values()), dtype=np.float64)
        if counts.sum() <= ENTROPY_FRAMES:
            return []
        shares = counts / counts.sum()
        entropy = -float(shares @ np.log2(shares)) + 0.0
        if entropy >= MIN_ENTROPY:
            return []
        message = (
            f"codebook 0 has {len(counts)} value(s) over {int(counts.sum())} frames, an entropy of {entropy:.1f} bits; "
            f"speech has more than {MIN_ENTROPY:g}. Listen to the recordings: they may be noise, hum or silence"
        )
        return [Finding(severity=Severity.WARNING, check="code-entropy", where=where, message=message)]
