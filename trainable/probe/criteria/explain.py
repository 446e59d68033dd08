"""Explains the flags of one recording: every measure with its threshold and where the threshold comes from."""

from dataclasses import dataclass
from statistics import median

from spaces.frozen_model import FrozenModel
from spaces.records.verdict import Flag
from trainable.probe.criteria.flags import character_error_threshold
from trainable.probe.measures.level import MAX_CLIPPED_SHARE, MIN_DBFS, MIN_SPEECH_SHARE
from trainable.probe.measures.line import LineMeasures, VoiceMeasures
from trainable.probe.measures.missing_words import MIN_OMITTED_WORDS, omitted_share, omitted_threshold
from trainable.probe.measures.noise import noise_threshold
from trainable.probe.measures.pauses import MAX_INNER_PAUSE, MAX_TAIL, inner_pause_threshold
from trainable.probe.measures.prosody import flat_threshold
from trainable.probe.measures.repeated_words import (
    MAX_INSERTED_SHARE,
    MIN_TRAILING_WORDS,
    has_doubled_word,
    has_repetition,
    inserted_share,
    repeated_words,
    trailing_words,
)
from trainable.probe.measures.similarity import SpeakerSimilarity
from trainable.probe.measures.sound_loops import MAX_REPEATED_SHARE
from trainable.probe.measures.stutter import MAX_STUTTER
from trainable.speech.tempo import LINE_TEMPO, MAX_SHORT_SECONDS, SHORT_LETTERS, letters, tempo_bounds
from trainable.speech.text.error_rate import MIN_JUDGED_LETTERS, normalise


class HealthyRange(FrozenModel):
    """The values of a healthy recording, both ends included; None for an open end."""

    least: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            return f"{self.least:.3g} to {self.most:.3g}"
        return f"at least {self.least:.3g}" if self.least is not None else f"at most {self.most:.3g}"


class ExplainedMeasure(FrozenModel):
    """One measure of one recording."""

    value: float | None
    """None where it could not be measured."""
    threshold: HealthyRange | None
    """None where it is unknown."""
    origin: str
    """A sentence on what is measured and where the threshold comes from."""
    flag: Flag | None
    """The flag that a value beyond the threshold raises; None for a measure without a flag."""

    @property
    def is_beyond(self) -> bool:
        """False where the value or the threshold is unknown."""
        if self.value is None or self.threshold is None:
            return False
        least, most = self.threshold.least, self.threshold.most
        return (least is not None and self.value < least) or (most is not None and self.value > most)


@dataclass(frozen=True)
class JudgingContext:
    """What is known apart from the recording."""

    pace: str | None
    """Where the expected length comes from, in words that finish a sentence; None without an expected length."""
    own: VoiceMeasures
    clips: int
    """Number of recordings behind `own`."""
    similarity: SpeakerSimilarity = SpeakerSimilarity()


def explain(line: LineMeasures, context: JudgingContext) -> dict[str, ExplainedMeasure]:
    """Every measure that `flags.flags_of` uses, by name, with the threshold that it applies.

    A threshold is None where the flag cannot be judged by that measure: `RecordingVerdict.unknown` says why.
    """
    own = context.own
    from_voice = f"from {context.clips} recordings of the same voice" if context.clips else "not known without --like"
    return {
        "speech_share": ExplainedMeasure(
            value=line.speech_share,
            threshold=HealthyRange(least=MIN_SPEECH_SHARE),
            origin=f"Share of 20 ms windows above {MIN_DBFS:g} dBFS; the default threshold.",
            flag=Flag.SILENT,
        ),
        "clipped_share": ExplainedMeasure(
            value=line.clipped_share,
            threshold=HealthyRange(most=MAX_CLIPPED_SHARE),
            origin="Share of samples at full scale; the default threshold.",
            flag=Flag.CLIPPED,
        ),
        "flatness_db": ExplainedMeasure(
            value=line.flatness,
            threshold=_at_most(noise_threshold(own.flatness)),
            origin=f"Spectral flatness of the vowels, dB, higher is noisier; the threshold is {from_voice}.",
            flag=Flag.NOISY,
        ),
        "repeated_share": ExplainedMeasure(
            value=line.repeated_share,
            threshold=None if has_repetition(line.text) else HealthyRange(most=MAX_REPEATED_SHARE),
            origin="Share of the speech that occurs again elsewhere in the clip; the default threshold, set on clean "
            "synthetic voices.",
            flag=Flag.LOOPED,
        ),
        "stutter": ExplainedMeasure(
            value=line.stutter,
            threshold=None if has_doubled_word(line.text) else HealthyRange(most=MAX_STUTTER),
            origin="Similarity of a fragment of speech to its own returns; the default threshold, set on clean "
            "synthetic voices.",
            flag=Flag.LOOPED,
        ),
        **_length(line, context, from_voice),
        "inner_pause_seconds": ExplainedMeasure(
            value=line.pauses.longest_inner,
            threshold=HealthyRange(most=inner_pause_threshold(own.inner_pauses)),
            origin="Longest pause between two words, seconds; "
            + (
                f"the longest of {context.clips} recordings of the same voice, at least {MAX_INNER_PAUSE:g}."
                if context.clips
                else "the default threshold."
            ),
            flag=Flag.TEMPO,
        ),
        "tail_seconds": ExplainedMeasure(
            value=line.pauses.tail,
            threshold=HealthyRange(most=MAX_TAIL),
            origin="Seconds without speech after the last word; the default threshold.",
            flag=Flag.TEMPO,
        ),
        **_transcript(line, own),
        "pitch_range_semitones": ExplainedMeasure(
            value=line.pitch_range,
            threshold=_pitch_range(line, own),
            origin=f"Range of the pitch, semitones; the threshold is {from_voice}. It rejects nothing.",
            flag=Flag.FLAT,
        ),
        "voice_similarity": ExplainedMeasure(
            value=context.similarity.similarity,
            threshold=None
            if context.similarity.threshold is None
            else HealthyRange(least=context.similarity.threshold),
            origin="Cosine of the voice to the one it is compared with; the threshold is "
            f"{context.similarity.origin or 'not known'}.",
            flag=Flag.VOICE_DRIFT,
        ),
        "dnsmos": ExplainedMeasure(value=line.quality, threshold=None, origin=_quality_origin(own), flag=None),
    }


def _quality_origin(own: VoiceMeasures) -> str:
    meaning = "Speech quality, DNSMOS overall, 1 to 5; it rejects nothing and compares clips of one voice only"
    if not own.qualities:
        return f"{meaning}."
    return f"{meaning}: the median of {len(own.qualities)} recordings of this one is {median(own.qualities):.2f}."


def _length(line: LineMeasures, context: JudgingContext, from_voice: str) -> dict[str, ExplainedMeasure]:
    pace = context.pace or "no pace is known for this script without --like"
    most = LINE_TEMPO[1]
    if letters(line.text) < SHORT_LETTERS:
        limit = max(MAX_SHORT_SECONDS, most * line.expected_seconds)
        return {
            "seconds": ExplainedMeasure(
                value=line.seconds,
                threshold=HealthyRange(most=limit) if context.pace else None,
                origin=f"Length; texts below {SHORT_LETTERS} letters may take {MAX_SHORT_SECONDS:g} s, or {most:g} of "
                f"the expected length; {pace}.",
                flag=Flag.TEMPO,
            )
        }
    bounds = tempo_bounds(context.own.tempos)
    set_by = "the default threshold" if bounds == LINE_TEMPO else f"the threshold is {from_voice}"
    return {
        "tempo": ExplainedMeasure(
            value=line.seconds / line.expected_seconds if context.pace else None,
            threshold=HealthyRange(least=bounds[0], most=bounds[1]) if context.pace else None,
            origin=f"Length over the expected length; {set_by}; {pace}.",
            flag=Flag.TEMPO,
        )
    }


def _transcript(line: LineMeasures, own: VoiceMeasures) -> dict[str, ExplainedMeasure]:
    """Measures of the words; unknown without a transcript, and without thresholds for short texts."""
    is_heard, transcript = line.heard is not None, line.heard or ""
    is_judged = is_heard and letters(line.text) >= MIN_JUDGED_LETTERS
    own_origin = (
        "95th percentile of the voice's own recordings and a margin, at least the default."
        if own.character_errors
        else "the default threshold."
    )

    def explained(flag: Flag, value: float | None, threshold: HealthyRange, origin: str) -> ExplainedMeasure:
        return ExplainedMeasure(
            value=value if is_heard else None, threshold=threshold if is_judged else None, origin=origin, flag=flag
        )

    return {
        "repeated_phrases": explained(
            Flag.LOOPED,
            len(repeated_words(line.text, transcript)),
            HealthyRange(most=0),
            "Phrases that the transcript repeats and the text does not; none is allowed.",
        ),
        "inserted_share": explained(
            Flag.LOOPED,
            inserted_share(line.text, transcript),
            HealthyRange(most=MAX_INSERTED_SHARE),
            "Inserted words over the words of the text; the default threshold.",
        ),
        "words_after_the_end": explained(
            Flag.LOOPED,
            trailing_words(line.text, transcript),
            HealthyRange(most=MIN_TRAILING_WORDS - 1),
            "Words transcribed after the last one of the text; the default threshold.",
        ),
        "words_heard": explained(
            Flag.SILENT,
            len(normalise(transcript).split()),
            HealthyRange(least=1),
            "Words in the transcript; at least one is needed.",
        ),
        "omitted_share": explained(
            Flag.GARBLED,
            omitted_share(line.text, transcript),
            HealthyRange(most=omitted_threshold(own.omitted_shares)),
            f"Share of the text's words that are missing in one place, {MIN_OMITTED_WORDS} at least; {own_origin}",
        ),
        "character_error": explained(
            Flag.GARBLED,
            line.character_error,
            HealthyRange(most=character_error_threshold(own.character_error_p95)),
            f"Character error rate of the transcript; {own_origin}",
        ),
    }


def _pitch_range(line: LineMeasures, own: VoiceMeasures) -> HealthyRange | None:
    least = flat_threshold(own.pitch_ranges)
    return None if least is None or letters(line.text) < SHORT_LETTERS else HealthyRange(least=least)


def _at_most(value: float | None) -> HealthyRange | None:
    return None if value is None else HealthyRange(most=value)
