"""Checks that the probe accepts the voice's own recordings, since otherwise its verdicts mean nothing."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from spaces.errors import InputError
from trainable.dataset.finding import Finding, Severity
from trainable.probe.criteria.criteria_table import Flag
from trainable.probe.criteria.criterion import LineMeasures, VoiceMeasures
from trainable.probe.criteria.measure import flags_of, voice_measures
from trainable.probe.measures.pauses import MAX_TAIL

MAX_FAILING_SHARE = 0.05
"""Largest share of the voice's own clips that may fail; a probe that rejects more is wrong about trials too."""
MIN_FAILING = 2
"""A single bad clip among a few proves nothing."""
MAX_LISTED = 3


MeasureRecordings = Callable[[Sequence[int]], Sequence[LineMeasures]]
"""Measures clips, given by their places, as they were recorded and not as the codec gives them back."""


def check_ground_truth(clips: Sequence[LineMeasures], measure_recordings: MeasureRecordings) -> Finding | None:
    """Checks the voice's own clips as the model's codec gives them back, all of which the probe should accept.

    They are judged with the default thresholds, since their own measures would excuse them. Only pauses between words
    are judged by the voice's own, because a reader may pause. Where more than 5 % fail, those are measured again as
    they were recorded. If these pass, the codec is at fault: a warning is returned, since thresholds that follow the
    voice's own clips allow for it. Otherwise raises InputError, with flags and clips.
    """
    own = voice_measures(clips)
    known = VoiceMeasures(values={"inner_pause_seconds": own.of("inner_pause_seconds")})
    failing = _failing(clips, known)
    if _are_few(failing, len(clips)):
        return None
    recorded = measure_recordings(list(failing))
    if _are_few(_failing(recorded, known), len(clips)) and _are_few(_failing(clips, own), len(clips)):
        return _blame_codec(failing, len(clips))
    raise InputError(_refusal([(clips[place], flags) for place, flags in failing.items()], len(clips)))


def _failing(clips: Sequence[LineMeasures], own: VoiceMeasures) -> dict[int, list[Flag]]:
    """The flags of the clips that fail, by their places."""
    judged = {place: [flag for flag in flags_of(clip, own) if flag.rejects] for place, clip in enumerate(clips)}
    return {place: flags for place, flags in judged.items() if flags}


def _are_few(failing: Mapping[int, Sequence[Flag]], clips: int) -> bool:
    return len(failing) < MIN_FAILING or len(failing) <= MAX_FAILING_SHARE * clips


def _blame_codec(failing: Mapping[int, Sequence[Flag]], clips: int) -> Finding:
    counts = Counter(flag for flags in failing.values() for flag in flags)
    summary = ", ".join(f"{flag} in {count}" for flag, count in counts.most_common())
    return Finding(
        severity=Severity.WARNING,
        check="codec",
        where="the model's codec",
        message=f"the probe accepts the recordings, but rejects {len(failing)} of {clips} as the codec of this model "
        f"gives them back ({summary}); no adapter can speak more clearly than its codec, so lines are judged by these "
        "clips, and less strictly: listen to what is accepted, or use a model whose codec suits the voice",
    )


def _refusal(failing: Sequence[tuple[LineMeasures, Sequence[Flag]]], clips: int) -> str:
    counts = Counter(flag for _, flags in failing for flag in flags)
    summary = ", ".join(f"{flag} in {count}" for flag, count in counts.most_common())
    lines = [
        f"the probe rejects {len(failing)} of {clips} recordings of the voice itself ({summary}), so its verdicts "
        "on trials would be wrong:",
        *(f"  {_describe(clip, flags)}" for clip, flags in failing[:MAX_LISTED]),
        _remedy(counts),
    ]
    return "\n".join(lines)


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
