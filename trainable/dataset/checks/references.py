"""Whether each speaker's reference does for one: its recording, its words, and what would do better."""

from __future__ import annotations

from trainable.dataset.checks.grouping import clips_by_speaker, line, quoted
from trainable.dataset.clip import Clip, Speaker, VoiceDataset
from trainable.dataset.finding import Finding, Severity
from trainable.dataset.reference import (
    TEMPO_FACTOR,
    characters_per_second,
    listed,
    propose_reference,
    recording_faults,
    typical,
    why,
)
from trainable.dataset.split import same_text
from trainable.dataset.user_files import printable


def references(dataset: VoiceDataset) -> list[Finding]:
    own = clips_by_speaker(dataset)
    return [finding for speaker in dataset.speakers for finding in _check(speaker, own[speaker.source, speaker.name])]


CHECKS = (references,)


def _check(speaker: Speaker, clips: list[Clip]) -> list[Finding]:
    reference = speaker.reference
    name = printable(reference.audio.name)
    if reference.measures.speech_share == 0:
        message = f"{name}, the reference, is silent; {_instead(reference, clips)}"
        return [_about(reference, "reference", Severity.ERROR, message)]
    found = []
    middle = typical(clips or [reference])
    poor = recording_faults(reference, middle)
    if poor:
        message = f"the reference {name} ({reference.seconds:.1f} s) {listed(poor)}; {_instead(reference, clips)}"
        found.append(_about(reference, "reference", Severity.WARNING, message))
    return found + _words(reference, clips, middle.characters_per_second)


def _words(reference: Clip, clips: list[Clip], median: float) -> list[Finding]:
    """Whether the reference's transcript can be what it says; nothing of one without, which its source tells."""
    if not reference.text:
        return []
    name = printable(reference.audio.name)
    for clip in clips:
        if clip.measures.sha256 == reference.measures.sha256 and same_text(clip.text) != same_text(reference.text):
            message = (
                f"the reference {name} is the same recording as {line(clip)}, but is said to be "
                f"{quoted(reference.text)} and not {quoted(clip.text)}; correct the wrong one, they must match exactly"
            )
            return [_about(reference, "reference-text", Severity.ERROR, message)]
    tempo = characters_per_second(reference)
    if not tempo:
        message = f"the transcript of {name} has no word; write exactly what the reference says"
        return [_about(reference, "reference-text", Severity.ERROR, message)]
    if median and not median / TEMPO_FACTOR <= tempo <= median * TEMPO_FACTOR:
        seems = "hold words that it does not say" if tempo > median else "lack words that it says"
        message = (
            f"the reference {name} has {tempo:.1f} characters per second, the clips {median:.1f}; its "
            f"transcript seems to {seems}. Listen, and write its exact words"
        )
        return [_about(reference, "reference-text", Severity.WARNING, message)]
    return []


def _instead(reference: Clip, clips: list[Clip]) -> str:
    """What to take instead, if anything among the clips is better."""
    others = [clip for clip in clips if clip.measures.sha256 != reference.measures.sha256]
    ranked = propose_reference([*others, reference])
    if ranked[0] is reference:
        return "no clip does better; record 10 to 30 s of calm speech"
    return f"the best among the clips is {why(ranked[0], others)}"


def _about(reference: Clip, check: str, severity: Severity, message: str) -> Finding:
    paths = (printable(reference.audio),)
    return Finding(severity=severity, check=check, where=reference.where, message=message, clips=paths)
