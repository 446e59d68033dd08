"""What stands behind every flag of one recording: the measure, the threshold, and where the threshold comes from."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from pydantic import BaseModel, ConfigDict

from spaces.records.verdict import Flag
from trainable.probe.criteria.flags import CLIPPED_SHARE, SPEECH_SHARE, garbled_above
from trainable.probe.measures.level import SILENCE_DBFS
from trainable.probe.measures.line import LineMeasures, VoiceMeasures
from trainable.probe.measures.missing_words import omitted_above, omitted_share
from trainable.probe.measures.noise import noisy_above
from trainable.probe.measures.pauses import INNER, TAIL, inner_above
from trainable.probe.measures.prosody import flat_below
from trainable.probe.measures.repeated_words import (
    BABBLED_ON,
    INSERTED,
    doubles_a_word,
    inserted_share,
    repeated_words,
    repeats_itself,
    words_after_the_end,
)
from trainable.probe.measures.similarity import SpeakerSimilarity
from trainable.probe.measures.sound_loops import LOOPED
from trainable.probe.measures.stutter import STUTTERED
from trainable.speech.tempo import LINE_TEMPO, SHORT_LETTERS, SHORT_SECONDS, letters, line_tempo
from trainable.speech.text.error_rate import JUDGED_LETTERS, words


class HealthyRange(BaseModel):
    """What a healthy recording measures, both ends included; None for an end that is open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    least: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            return f"{self.least:.3g} to {self.most:.3g}"
        return f"at least {self.least:.3g}" if self.least is not None else f"at most {self.most:.3g}"


class ExplainedMeasure(BaseModel):
    """One measure of one recording."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float | None
    """None where it could not be measured, and where it is not a number."""
    threshold: HealthyRange | None
    """None where it is not known."""
    origin: str
    """A sentence: what is measured, and where the threshold comes from."""
    flag: Flag | None
    """The one that a value beyond the threshold raises; None for a measure that no flag is judged by."""

    @property
    def is_beyond(self) -> bool:
        """Never where the value or the threshold is not known."""
        if self.value is None or self.threshold is None:
            return False
        least, most = self.threshold.least, self.threshold.most
        return (least is not None and self.value < least) or (most is not None and self.value > most)


@dataclass(frozen=True)
class JudgingContext:
    """What is known apart from the recording, in words that finish a sentence."""

    pace: str | None
    """Where the expected length comes from; None where there is none."""
    own: VoiceMeasures
    clips: int
    """Recordings of the same voice that `own` is of."""
    likeness: SpeakerSimilarity = SpeakerSimilarity()


def explain(line: LineMeasures, known: JudgingContext) -> dict[str, ExplainedMeasure]:
    """Every measure that `judge.flags_of` looks at, by name, with the threshold that it is compared with there.

    A threshold is None where the flag cannot be judged by that measure: `standalone.Judged.unknown` says why.
    """
    own = known.own
    from_voice = f"from {known.clips} recordings of the same voice" if known.clips else "not known without --like"
    return {
        "rms_dbfs": ExplainedMeasure(
            value=_number(line.rms_dbfs),
            threshold=HealthyRange(least=SILENCE_DBFS),
            origin="Level of the whole clip, dB relative to full scale; the default threshold.",
            flag=Flag.SILENT,
        ),
        "speech_share": ExplainedMeasure(
            value=line.speech_share,
            threshold=HealthyRange(least=SPEECH_SHARE),
            origin=f"Share of 20 ms windows above {SILENCE_DBFS:g} dBFS; the default threshold.",
            flag=Flag.SILENT,
        ),
        "clipped_share": ExplainedMeasure(
            value=line.clipped_share,
            threshold=HealthyRange(most=CLIPPED_SHARE),
            origin="Share of samples at full scale; the default threshold.",
            flag=Flag.CLIPPED,
        ),
        "flatness_db": ExplainedMeasure(
            value=line.flatness,
            threshold=_most(noisy_above(own.flatness)),
            origin=f"Spectral flatness of the vowels, dB, higher is noisier; the threshold is {from_voice}.",
            flag=Flag.NOISY,
        ),
        "repeated_share": ExplainedMeasure(
            value=line.repeated_share,
            threshold=None if repeats_itself(line.text) else HealthyRange(most=LOOPED),
            origin="Share of the speech that sounds again elsewhere in the clip; the default threshold, set on clean "
            "synthetic voices.",
            flag=Flag.LOOPED,
        ),
        "stutter": ExplainedMeasure(
            value=line.stutter,
            threshold=None if doubles_a_word(line.text) else HealthyRange(most=STUTTERED),
            origin="How alike a fragment of speech is to its own returns; the default threshold, set on clean "
            "synthetic voices.",
            flag=Flag.LOOPED,
        ),
        **_length(line, known, from_voice),
        "inner_pause_seconds": ExplainedMeasure(
            value=line.pauses.longest_inner,
            threshold=HealthyRange(most=inner_above(own.inner_pauses)),
            origin="Longest pause between two words, seconds; "
            + (
                f"the longest of {known.clips} recordings of the same voice, at least {INNER:g}."
                if known.clips
                else "the default threshold."
            ),
            flag=Flag.TEMPO,
        ),
        "tail_seconds": ExplainedMeasure(
            value=line.pauses.tail,
            threshold=HealthyRange(most=TAIL),
            origin="Seconds without speech after the last word; the default threshold.",
            flag=Flag.TEMPO,
        ),
        **_words(line, own),
        "pitch_range_semitones": ExplainedMeasure(
            value=line.pitch_range,
            threshold=_flat(line, own),
            origin=f"Range of the pitch, semitones; the threshold is {from_voice}. It rejects nothing.",
            flag=Flag.FLAT,
        ),
        "voice_similarity": ExplainedMeasure(
            value=known.likeness.similarity,
            threshold=None if known.likeness.least is None else HealthyRange(least=known.likeness.least),
            origin="Cosine of the voice to the one it is compared with; the threshold is "
            f"{known.likeness.origin or 'not known'}.",
            flag=Flag.VOICE_DRIFT,
        ),
        "dnsmos": ExplainedMeasure(value=line.quality, threshold=None, origin=_quality(own), flag=None),
    }


def _quality(own: VoiceMeasures) -> str:
    told = "How good it sounds, DNSMOS overall, 1 to 5; it rejects nothing and compares clips of one voice only"
    if not own.qualities:
        return f"{told}."
    return f"{told}: the median of {len(own.qualities)} recordings of this one is {median(own.qualities):.2f}."


def _length(line: LineMeasures, known: JudgingContext, from_voice: str) -> dict[str, ExplainedMeasure]:
    pace = known.pace or "no pace is known for this script without --like"
    high = LINE_TEMPO[1]
    if letters(line.text) < SHORT_LETTERS:
        return {
            "seconds": ExplainedMeasure(
                value=line.seconds,
                threshold=HealthyRange(most=max(SHORT_SECONDS, high * line.expected_seconds)) if known.pace else None,
                origin=f"Length; texts below {SHORT_LETTERS} letters may take {SHORT_SECONDS:g} s, or {high:g} of the "
                f"expected length; {pace}.",
                flag=Flag.TEMPO,
            )
        }
    least, most = line_tempo(known.own.tempos)
    set_by = "the default threshold" if (least, most) == LINE_TEMPO else f"the threshold is {from_voice}"
    return {
        "tempo": ExplainedMeasure(
            value=line.seconds / line.expected_seconds if known.pace else None,
            threshold=HealthyRange(least=least, most=most) if known.pace else None,
            origin=f"Length over the expected length; {set_by}; {pace}.",
            flag=Flag.TEMPO,
        )
    }


def _words(line: LineMeasures, own: VoiceMeasures) -> dict[str, ExplainedMeasure]:
    judged = letters(line.text) >= JUDGED_LETTERS
    heard = line.heard
    share = inserted_share(line.text, heard) if heard is not None else None
    origin = (
        "95th percentile of the voice's own recordings and a margin, at least the default."
        if own.character_errors
        else "the default threshold."
    )
    return {
        "repeated_phrases": ExplainedMeasure(
            value=len(repeated_words(line.text, heard)) if heard is not None else None,
            threshold=HealthyRange(most=0) if judged and heard is not None else None,
            origin="Phrases that were heard again and that the text has not; none is allowed.",
            flag=Flag.LOOPED,
        ),
        "inserted_share": ExplainedMeasure(
            value=share,
            threshold=HealthyRange(most=INSERTED) if judged and heard is not None else None,
            origin="Words heard too many over the words of the text; the default threshold.",
            flag=Flag.LOOPED,
        ),
        "words_after_the_end": ExplainedMeasure(
            value=words_after_the_end(line.text, heard) if heard is not None else None,
            threshold=HealthyRange(most=BABBLED_ON - 1) if judged and heard is not None else None,
            origin="Words heard after the last one of the text; the default threshold.",
            flag=Flag.LOOPED,
        ),
        "words_heard": ExplainedMeasure(
            value=len(words(heard).split()) if heard is not None else None,
            threshold=HealthyRange(least=1) if judged and heard is not None else None,
            origin="Words that the recogniser understood at all; one is needed.",
            flag=Flag.SILENT,
        ),
        "omitted_share": ExplainedMeasure(
            value=omitted_share(line.text, heard) if heard is not None else None,
            threshold=HealthyRange(most=omitted_above(own.omitted_shares)) if judged and heard is not None else None,
            origin=f"Share of the text's words that are missing in one place, three at least; {origin}",
            flag=Flag.GARBLED,
        ),
        "character_error": ExplainedMeasure(
            value=line.character_error,
            threshold=HealthyRange(most=garbled_above(own.character_error_p95))
            if judged and heard is not None
            else None,
            origin=f"Character error rate of what the recogniser understood; {origin}",
            flag=Flag.GARBLED,
        ),
    }


def _flat(line: LineMeasures, own: VoiceMeasures) -> HealthyRange | None:
    least = flat_below(own.pitch_ranges)
    return None if least is None or letters(line.text) < SHORT_LETTERS else HealthyRange(least=least)


def _most(value: float | None) -> HealthyRange | None:
    return None if value is None else HealthyRange(most=value)


def _number(value: float) -> float | None:
    """JSON has no nan."""
    return value if value == value else None
