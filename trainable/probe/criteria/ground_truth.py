"""Checks that the probe accepts the voice's own recordings, since otherwise its verdicts mean nothing."""

from collections import Counter
from collections.abc import Sequence

from spaces.errors import InputError
from trainable.probe.criteria.criteria_table import Flag
from trainable.probe.criteria.criterion import LineMeasures, VoiceMeasures
from trainable.probe.criteria.measure import flags_of, voice_measures
from trainable.probe.measures.pauses import MAX_TAIL

MAX_FAILING_SHARE = 0.05
"""Largest share of the voice's own clips that may fail; a probe that rejects more is wrong about trials too."""
MIN_FAILING = 2
"""A single bad clip among a few proves nothing."""
MAX_LISTED = 3


def check_ground_truth(clips: Sequence[LineMeasures]) -> None:
    """Raises InputError, with flags and clips, when the probe rejects more than 5 % of the voice's own recordings.

    They are judged with the default thresholds, since their own measures would excuse them. Only pauses between words
    are judged by the voice's own, because a reader may pause.
    """
    pauses = voice_measures(clips).of("inner_pause_seconds")
    known = VoiceMeasures(values={"inner_pause_seconds": pauses})
    judged = [(clip, [flag for flag in flags_of(clip, known) if flag.rejects]) for clip in clips]
    failing = [(clip, flags) for clip, flags in judged if flags]
    if len(failing) < MIN_FAILING or len(failing) <= MAX_FAILING_SHARE * len(clips):
        return
    counts = Counter(flag for _, flags in failing for flag in flags)
    summary = ", ".join(f"{flag} in {count}" for flag, count in counts.most_common())
    lines = [
        f"the probe rejects {len(failing)} of {len(clips)} recordings of the voice itself ({summary}), so its verdicts "
        "on trials would be wrong:",
        *(f"  {_describe(clip, flags)}" for clip, flags in failing[:MAX_LISTED]),
        _remedy(counts),
    ]
    raise InputError("\n".join(lines))


def _describe(clip: LineMeasures, flags: Sequence[Flag]) -> str:
    text = clip.text if len(clip.text) <= 60 else f"{clip.text[:59]}…"
    heard = f", heard “{clip.heard[:60]}”" if clip.heard is not None and Flag.GARBLED in flags else ""
    length = ""
    if Flag.TEMPO in flags:
        length = f", lasts {clip.seconds:.1f} s where {clip.expected_seconds:.1f} were expected"
        if (tail := clip.values.get("tail_seconds") or 0.0) > MAX_TAIL:
            length += f", {tail:.1f} s of silence at its end"
    return f"“{text}”: {', '.join(flags)}{heard}{length}"


def _remedy(counts: Counter[Flag]) -> str:
    if counts.most_common(1)[0][0] is Flag.GARBLED:
        return (
            "check that transcripts match their clips (python -m trainable.dataset check); if they do, this "
            "recogniser does not understand the voice: name another (--recogniser), say its language (--language), or "
            "judge no words (--recogniser none)"
        )
    return "repair these recordings or leave them out; python -m trainable.dataset check says more"
