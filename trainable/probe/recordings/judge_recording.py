"""Judges one recording of a known text, without the model that spoke it: a `RecordingVerdict` comes out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spaces.errors import InputError
from spaces.frozen_model import FrozenModel
from trainable.dataset.clip import Clip
from trainable.dataset.formatting import excerpt
from trainable.dataset.user_files import is_unicode
from trainable.probe.criteria.criteria_table import CRITERIA, Flag
from trainable.probe.criteria.criterion import LineMeasures, SpokenClip, VoiceMeasures
from trainable.probe.criteria.explain import ExplainedMeasure, JudgingContext, explain
from trainable.probe.criteria.ground_truth import check_ground_truth
from trainable.probe.criteria.measure import flags_of, measure_line, voice_measures, with_quality
from trainable.probe.measures.dnsmos import overall_quality
from trainable.probe.measures.repeated_words import has_repetition
from trainable.probe.measures.similarity import SpeakerSimilarity
from trainable.probe.recordings.audio_file import AudioFile, read_recording
from trainable.speech.activity import MAX_SECONDS
from trainable.speech.asr.recogniser import Recogniser
from trainable.speech.tempo import CHARACTERS_PER_SECOND, SpeakingRate, default_seconds, fit_speaking_rate, letters
from trainable.speech.text.error_rate import MIN_JUDGED_LETTERS, normalise

DEFAULT_PACE = f"expected ~ characters / {CHARACTERS_PER_SECOND:g} s, slower where a letter is a syllable"
VOICE_UNKNOWN = "nothing is known of the voice; give its recordings with --like"
TOO_LITTLE_SPEECH = "there is too little speech to judge it by"

MAX_RATED_CLIPS = 10
"""Recordings of the voice that get a DNSMOS score, which takes longer than all other measures."""


@dataclass(frozen=True)
class VoiceBaseline:
    """Measures of other recordings of the same voice; defaults without any."""

    tempo: SpeakingRate | None = None
    own: VoiceMeasures = VoiceMeasures()
    clips: int = 0


@dataclass(frozen=True)
class RecordingToJudge:
    """One recording that is to be judged."""

    audio: Path
    name: str
    """Its name in the verdict: as the user wrote it."""
    text: str
    """A text that passes `check_text`."""
    language: str
    reference: Path | None
    """A recording of the voice that it should be."""


class RecordingVerdict(FrozenModel):
    """The verdict on one recording, which `--json` prints."""

    audio: str
    text: str
    accepted: bool
    """Whether no rejecting flag is raised."""
    flags: tuple[Flag, ...]
    unknown: dict[Flag, str]
    """Flags that could not be judged, and why: they say nothing for or against the recording."""
    measures: dict[str, ExplainedMeasure]
    heard: str | None
    """The transcript; None without a recogniser."""


def check_text(text: str, where: str) -> None:
    """Raises InputError for a text without letters or words, or that is not Unicode."""
    if not is_unicode(text):
        raise InputError(f"{where}: the text holds bytes that are not UTF-8; write it again")
    if not letters(text) or not normalise(text):
        raise InputError(f"{where}: expected the text that is spoken, got {excerpt(text) or 'an empty one'}")


def measure_voice(clips: Sequence[Clip], recogniser: Recogniser | None, language: str) -> VoiceBaseline:
    """Measures at least one recording of a voice that speaks `language`.

    Raises InputError when the probe rejects them: see `check_ground_truth`.
    """
    tempo = fit_speaking_rate([clip.text for clip in clips], [clip.seconds for clip in clips])
    measured = []
    for place, clip in enumerate(clips):
        recording = read_recording(clip.audio)
        judged = letters(clip.text) >= MIN_JUDGED_LETTERS
        heard = _transcribe(recording, recogniser) if judged else None
        line = _measure(recording, clip.text, heard, tempo.expected_seconds(clip.text), language)
        is_rated = place % -(-len(clips) // MAX_RATED_CLIPS) == 0
        measured.append(with_quality(line, overall_quality(recording.wave)) if is_rated else line)
    check_ground_truth(measured, lambda places: [measured[place] for place in places])
    return VoiceBaseline(tempo, voice_measures(measured), len(clips))


def judge_recording(
    request: RecordingToJudge,
    recording: AudioFile,
    recogniser: Recogniser | None,
    baseline: VoiceBaseline,
    similarity: SpeakerSimilarity,
) -> RecordingVerdict:
    """Judges `recording`, the content of `request.audio`, whose voice has this similarity to the reference."""
    text = request.text
    expected, pace = _expected_seconds(text, baseline)
    heard = _transcribe(recording, recogniser)
    # Without an expected length the actual one is used; the measure and the flag are then reported as unknown.
    line = _measure(recording, text, heard, expected or max(recording.seconds, 1e-9), request.language)
    line = with_quality(line, overall_quality(recording.wave))
    flags = flags_of(line, baseline.own) + ((Flag.VOICE_DRIFT,) if similarity.has_drifted else ())
    context = JudgingContext(pace=pace, own=baseline.own, clips=baseline.clips, similarity=similarity)
    measures = explain(line, context)
    unknown = {
        **_unknown_from_voice(line, baseline.own, pace),
        **_unknown_from_recording(line, recording, recogniser),
        Flag.NO_EOS: "a file does not show whether its model reached its end",
        **({Flag.VOICE_DRIFT: similarity.unknown} if similarity.unknown else {}),
    }
    return RecordingVerdict(
        audio=request.name,
        text=text,
        accepted=not any(flag.rejects for flag in flags),
        flags=flags,
        unknown={flag: unknown[flag] for flag in Flag if flag in unknown and flag not in flags},
        measures=measures,
        heard=heard,
    )


def _expected_seconds(text: str, baseline: VoiceBaseline) -> tuple[float | None, str | None]:
    """The expected length of the text, and where it comes from; both None for an unknown script."""
    if baseline.tempo is not None:
        seconds = baseline.tempo.expected_seconds(text)
        return seconds, f"expected {seconds:.1f} s, fitted to {baseline.clips} recordings of the same voice"
    seconds = default_seconds(text)
    return (None, None) if seconds is None else (seconds, f"expected {seconds:.1f} s at the default pace")


def _measure(
    recording: AudioFile, text: str, heard: str | None, expected_seconds: float, language: str
) -> LineMeasures:
    with np.errstate(invalid="ignore", over="ignore"):
        return measure_line(
            SpokenClip(recording.wave, text, expected_seconds, heard, None, language, recording.seconds)
        )


def _transcribe(recording: AudioFile, recogniser: Recogniser | None) -> str | None:
    """None without a recogniser, and for a recording of which only the first minutes were read."""
    if recogniser is None or recording.seconds > MAX_SECONDS:
        return None
    if not recording.has_sound:
        return ""
    return recogniser.transcribe([recording.wave])[0]


def _unknown_from_recording(line: LineMeasures, recording: AudioFile, recogniser: Recogniser | None) -> dict[Flag, str]:
    """Flags that need words or sound which this recording does not have, each with the reason."""
    unknown = {}
    judged = letters(line.text) >= MIN_JUDGED_LETTERS
    if not recording.has_sound:
        unknown[Flag.CLIPPED] = unknown[Flag.LOOPED] = "it holds no samples, or some that are not finite numbers"
    elif has_repetition(line.text) and (line.heard is None or not judged):
        unknown[Flag.LOOPED] = "the text repeats itself, so its sound does too, and its words were not judged"
    if recogniser is None:
        unknown[Flag.GARBLED] = "it was not transcribed; name a recogniser with --recogniser"
    elif line.heard is None:
        unknown[Flag.GARBLED] = f"longer than {MAX_SECONDS:g} s, so it was not transcribed; cut it into pieces"
    elif not judged:
        unknown[Flag.GARBLED] = f"the text has fewer than {MIN_JUDGED_LETTERS} letters: only words beyond it are judged"
    return unknown


def _unknown_from_voice(line: LineMeasures, own: VoiceMeasures, pace: str | None) -> dict[Flag, str]:
    """Flags that need to know the voice, or more speech than this recording has, each with the reason."""
    unknown = {}
    for flag in Flag:
        criteria = [criterion for criterion in CRITERIA if criterion.flag == flag and not criterion.on_words]
        if criteria and not any(each.judges(line, own) for each in criteria):
            is_strange = any(each.from_voice and not own.of(each.name) for each in criteria)
            unknown[flag] = VOICE_UNKNOWN if is_strange else TOO_LITTLE_SPEECH
    if pace is None:
        unknown[Flag.TEMPO] = "no pace is known for this script, only pauses are judged; give recordings with --like"
    return unknown
