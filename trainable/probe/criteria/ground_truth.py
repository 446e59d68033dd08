"""Whether a probe can be trusted with a voice: the recordings themselves, judged as a trial's lines are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from spaces.errors import InputError
from spaces.records.verdict import Flag
from trainable.probe.criteria.flags import flags_of
from trainable.probe.measures.line import LineMeasures, VoiceMeasures, own_measures
from trainable.probe.measures.pauses import TAIL

FAILING_SHARE = 0.05
"""Of the ground truth's clips; a probe that rejects more of what a person recorded is wrong about trials too."""
LEAST_FAILING = 2
"""One odd clip among a few is no proof."""
NAMED = 3


def check_ground_truth(clips: Sequence[LineMeasures]) -> None:
    """Raises InputError when the probe would reject more than 5 % of the recordings, with the flags and clips.

    They are judged as if nothing were known of the voice, whose own measures would excuse whatever it does; but a
    reader may pause, so pauses between words are judged by the voice's own.
    """
    known = VoiceMeasures(inner_pauses=own_measures(clips).inner_pauses)
    judged = [(clip, [flag for flag in flags_of(clip, known) if flag.rejects]) for clip in clips]
    flagged = [(clip, flags) for clip, flags in judged if flags]
    if len(flagged) < LEAST_FAILING or len(flagged) <= FAILING_SHARE * len(clips):
        return
    counts = Counter(flag for _, flags in flagged for flag in flags)
    told = ", ".join(f"{flag} in {count}" for flag, count in counts.most_common())
    lines = [
        f"the probe rejects {len(flagged)} of {len(clips)} recordings of the voice itself ({told}), so it would be "
        "wrong about every trial:",
        *(f"  {_in_words(clip, flags)}" for clip, flags in flagged[:NAMED]),
        _remedy(counts),
    ]
    raise InputError("\n".join(lines))


def _in_words(clip: LineMeasures, flags: Sequence[Flag]) -> str:
    text = clip.text if len(clip.text) <= 60 else f"{clip.text[:59]}…"
    heard = f", heard “{clip.heard[:60]}”" if clip.heard is not None and Flag.GARBLED in flags else ""
    lasts = (
        f", lasts {clip.seconds:.1f} s where {clip.expected_seconds:.1f} were expected" if Flag.TEMPO in flags else ""
    )
    lasts += f", {clip.pauses.tail:.1f} s of silence at its end" if lasts and clip.pauses.tail > TAIL else ""
    return f"“{text}”: {', '.join(flags)}{heard}{lasts}"


def _remedy(counts: Counter[Flag]) -> str:
    if counts.most_common(1)[0][0] is Flag.GARBLED:
        return (
            "check that transcripts match their clips (python -m trainable.dataset check); if they do, this "
            "recogniser does not understand the voice: name another in the space's [probe], set its language, or "
            'recogniser = "none"'
        )
    return "mend these recordings or leave them out; python -m trainable.dataset check says more"
