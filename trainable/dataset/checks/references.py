"""Checks the reference of each speaker: its recording, its transcript, and whether a clip would do better."""

from trainable.dataset.checks.grouping import clips_by_speaker, line_of
from trainable.dataset.clip import Clip, Speaker, VoiceDataset
from trainable.dataset.finding import Finding, Severity
from trainable.dataset.formatting import enumerate_words, printable, quote
from trainable.dataset.reference import TEMPO_FACTOR, describe_reference, medians, rank_references, recording_drawbacks
from trainable.dataset.split import normalise


def references(dataset: VoiceDataset) -> list[Finding]:
    clips = clips_by_speaker(dataset)
    return [finding for speaker in dataset.speakers for finding in _check(speaker, clips[speaker.source, speaker.name])]


CHECKS = (references,)


def _check(speaker: Speaker, clips: list[Clip]) -> list[Finding]:
    reference = speaker.reference
    name = printable(reference.audio.name)
    if reference.measures.speech_share == 0:
        message = f"{name}, the reference, is silent; {_alternative(reference, clips)}"
        return [_about(reference, "reference", Severity.ERROR, message)]
    findings = []
    typical = medians(clips or [reference])
    drawbacks = recording_drawbacks(reference, typical)
    if drawbacks:
        fault = f"the reference {name} ({reference.seconds:.1f} s) {enumerate_words(drawbacks)}"
        message = f"{fault}; {_alternative(reference, clips)}"
        findings.append(_about(reference, "reference", Severity.WARNING, message))
    return findings + _check_text(reference, clips, typical.characters_per_second)


def _check_text(reference: Clip, clips: list[Clip], median: float) -> list[Finding]:
    """Whether the transcript can be that of the reference. A missing transcript has been reported by the loader."""
    if not reference.text:
        return []
    name = printable(reference.audio.name)
    for clip in clips:
        if clip.measures.sha256 == reference.measures.sha256 and normalise(clip.text) != normalise(reference.text):
            message = (
                f"the reference {name} is the same recording as {line_of(clip)}, but their transcripts are "
                f"{quote(reference.text)} and {quote(clip.text)}; correct the wrong one, they must match exactly"
            )
            return [_about(reference, "reference-text", Severity.ERROR, message)]
    tempo = reference.characters_per_second
    if not tempo:
        message = f"the transcript of {name} has no word; write exactly what the reference says"
        return [_about(reference, "reference-text", Severity.ERROR, message)]
    if median and not median / TEMPO_FACTOR <= tempo <= median * TEMPO_FACTOR:
        suspicion = "hold words that it does not say" if tempo > median else "lack words that it says"
        message = (
            f"the reference {name} has {tempo:.1f} characters per second, the clips {median:.1f}; its "
            f"transcript seems to {suspicion}. Listen, and write its exact words"
        )
        return [_about(reference, "reference-text", Severity.WARNING, message)]
    return []


def _alternative(reference: Clip, clips: list[Clip]) -> str:
    """The clip that would do better, if there is one."""
    others = [clip for clip in clips if clip.measures.sha256 != reference.measures.sha256]
    best = rank_references([*others, reference])[0]
    if best is reference:
        return "no clip does better; record 10 to 30 s of calm speech"
    return f"the best among the clips is {describe_reference(best, others)}"


def _about(reference: Clip, check: str, severity: Severity, message: str) -> Finding:
    paths = (printable(reference.audio),)
    return Finding(severity=severity, check=check, where=reference.where, message=message, clips=paths)
