"""Judging one recording alone: no model that speaks, no dataset, at most other recordings of the same voice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from spaces.errors import InputError
from spaces.records.verdict import Flag
from trainable.dataset.clip import Clip
from trainable.dataset.formatting import excerpt
from trainable.dataset.user_files import is_unicode
from trainable.probe.criteria.explain import ExplainedMeasure, JudgingContext, explain
from trainable.probe.criteria.flags import flags_of
from trainable.probe.criteria.ground_truth import check_ground_truth
from trainable.probe.measures.dnsmos import quality
from trainable.probe.measures.line import LineMeasures, VoiceMeasures, measure, own_measures
from trainable.probe.measures.repeated_words import repeats_itself
from trainable.probe.measures.similarity import SpeakerSimilarity
from trainable.probe.recordings.audio_file import AudioFile, read_recording
from trainable.speech.activity import LONGEST_SECONDS
from trainable.speech.asr.recogniser import Recogniser
from trainable.speech.tempo import CHARACTERS_PER_SECOND, SpeakingRate, default_seconds, fit_tempo, letters
from trainable.speech.text.error_rate import JUDGED_LETTERS, words

DEFAULT_PACE = f"expected ~ characters / {CHARACTERS_PER_SECOND:g} s, slower where a letter is a syllable"
VOICE_UNKNOWN = "nothing is known of the voice; give its recordings with --like"

OWN_QUALITIES = 10
"""Recordings of the voice whose quality is measured, which takes longer than all else."""


@dataclass(frozen=True)
class VoiceBaseline:
    """What recordings of the same voice tell; without any, defaults."""

    tempo: SpeakingRate | None = None
    own: VoiceMeasures = VoiceMeasures()
    clips: int = 0


@dataclass(frozen=True)
class RecordingToJudge:
    """One recording that is to be judged."""

    audio: Path
    name: str
    """What the verdict calls it: as the user wrote it."""
    text: str
    """One that `check_text` lets pass."""
    language: str
    reference: Path | None
    """A recording of the voice that it should be."""


class RecordingVerdict(BaseModel):
    """One recording's verdict: what `--json` prints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    audio: str
    text: str
    accepted: bool
    """Whether no flag that rejects is raised."""
    flags: tuple[Flag, ...]
    unknown: dict[Flag, str]
    """Flags that could not be judged, and why: nothing is said for or against the recording by them."""
    measures: dict[str, ExplainedMeasure]
    heard: str | None
    """None where nobody listened."""


def check_text(text: str, where: str) -> None:
    """Raises InputError for a text that nobody can speak."""
    if not is_unicode(text):
        raise InputError(f"{where}: the text holds bytes that are not UTF-8; write it again")
    if not letters(text) or not words(text):
        raise InputError(f"{where}: expected the text that is spoken, got {excerpt(text) or 'an empty one'}")


def yardstick_of(clips: Sequence[Clip], recogniser: Recogniser | None, language: str) -> VoiceBaseline:
    """What at least one recording of a voice, which speaks `language`, says about another one.

    Raises InputError where the probe would reject them: see `check_ground_truth`.
    """
    tempo = fit_tempo([clip.text for clip in clips], [clip.seconds for clip in clips])
    measured = []
    for place, clip in enumerate(clips):
        recording = read_recording(clip.audio)
        judged = letters(clip.text) >= JUDGED_LETTERS
        heard = _hear(recording, recogniser) if judged else None
        line = _measure(recording, clip.text, heard, tempo.expected_seconds(clip.text), language)
        measured.append(_rated(line, recording) if place % -(-len(clips) // OWN_QUALITIES) == 0 else line)
    check_ground_truth(measured)
    return VoiceBaseline(tempo, own_measures(measured), len(clips))


def judge(
    asked: RecordingToJudge,
    recording: AudioFile,
    recogniser: Recogniser | None,
    yardstick: VoiceBaseline,
    likeness: SpeakerSimilarity,
) -> RecordingVerdict:
    """`recording` is of `asked.audio`, and `likeness` its voice to that of the reference."""
    text = asked.text
    expected, pace = _expected(text, yardstick)
    heard = _hear(recording, recogniser)
    # A length that nothing is known about is the expected one: the measure and the flag say that they are unknown.
    measured = _measure(recording, text, heard, expected or max(recording.seconds, 1e-9), asked.language)
    line = _rated(measured, recording)
    flags = flags_of(line, yardstick.own) + ((Flag.VOICE_DRIFT,) if likeness.has_drifted else ())
    measures = explain(line, JudgingContext(pace=pace, own=yardstick.own, clips=yardstick.clips, likeness=likeness))
    unknown = {
        **_unheard(line, recording, recogniser),
        **_without_likes(line, Flag.SILENT in flags, yardstick, pace, measures),
        Flag.NO_EOS: "a file does not say whether its model reached its end",
        **({Flag.VOICE_DRIFT: likeness.unknown} if likeness.unknown else {}),
    }
    return RecordingVerdict(
        audio=asked.name,
        text=text,
        accepted=not any(flag.rejects for flag in flags),
        flags=flags,
        unknown={flag: unknown[flag] for flag in Flag if flag in unknown and flag not in flags},
        measures=measures,
        heard=heard,
    )


def _expected(text: str, yardstick: VoiceBaseline) -> tuple[float | None, str | None]:
    """Seconds the text should take, and where they come from."""
    if yardstick.tempo is not None:
        seconds = yardstick.tempo.expected_seconds(text)
        return seconds, f"expected {seconds:.1f} s, fitted to {yardstick.clips} recordings of the same voice"
    seconds = default_seconds(text)
    return (None, None) if seconds is None else (seconds, f"expected {seconds:.1f} s at the default pace")


def _measure(
    recording: AudioFile, text: str, heard: str | None, expected_seconds: float, language: str
) -> LineMeasures:
    """A file does not say whether its model reached its end, so that is taken as given."""
    with np.errstate(invalid="ignore", over="ignore"):
        measured = measure(recording.wave, text, heard, True, expected_seconds, language)
    return replace(measured, seconds=recording.seconds)


def _rated(line: LineMeasures, recording: AudioFile) -> LineMeasures:
    rated = quality(recording.wave)
    return line if rated is None else replace(line, quality=rated.overall)


def _hear(recording: AudioFile, recogniser: Recogniser | None) -> str | None:
    """None also for a recording of which only the first minutes would be heard: the text is of all of it."""
    if recogniser is None or recording.seconds > LONGEST_SECONDS:
        return None
    if not recording.has_sound:
        return ""
    return recogniser.hear([recording.wave])[0]


def _unheard(line: LineMeasures, recording: AudioFile, recogniser: Recogniser | None) -> dict[Flag, str]:
    """Flags that need words or sound which this recording does not have, each with the reason."""
    told = {}
    judged = letters(line.text) >= JUDGED_LETTERS
    if not recording.has_sound:
        told[Flag.CLIPPED] = told[Flag.LOOPED] = "it holds no samples, or some that are not numbers"
    elif repeats_itself(line.text) and (line.heard is None or not judged):
        told[Flag.LOOPED] = "the text repeats itself, so its sound does too, and its words were not judged"
    if recogniser is None:
        told[Flag.GARBLED] = "nobody listened; name a recogniser with --recogniser"
    elif line.heard is None:
        told[Flag.GARBLED] = f"longer than {LONGEST_SECONDS:g} s, nobody listened; cut it into pieces"
    elif not judged:
        told[Flag.GARBLED] = f"the text has fewer than {JUDGED_LETTERS} letters, too few to judge words by"
    return told


def _without_likes(
    line: LineMeasures,
    silent: bool,
    yardstick: VoiceBaseline,
    pace: str | None,
    measures: Mapping[str, ExplainedMeasure],
) -> dict[Flag, str]:
    """Flags that need to know the voice, or more of it than this recording has, each with the reason."""
    told = {}
    if not yardstick.own.flatness:
        told[Flag.NOISY] = VOICE_UNKNOWN
    elif silent:
        told[Flag.NOISY] = "there is no speech to compare the noise with"
    if pace is None:
        told[Flag.TEMPO] = "no pace is known for this script, only pauses are judged; give recordings with --like"
    if not yardstick.own.pitch_ranges:
        told[Flag.FLAT] = VOICE_UNKNOWN
    elif line.pitch_range is None or measures["pitch_range_semitones"].threshold is None:
        told[Flag.FLAT] = "too little is spoken to tell its melody"
    return told
