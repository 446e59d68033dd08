"""Reasons to doubt a transcript, the review that shows them, and the journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainable.dataset.transcribe.review import ReviewLine, write_review
from trainable.dataset.transcribe.suspicions import TypicalSpeech, repeated_phrase, suspicions, typical_speech
from trainable.dataset.transcribe.transcript import JOURNAL, FileVersion, Transcript, TranscriptJournal


def transcript(text: str = "A whole sentence, well said.", **changed) -> Transcript:
    fields = {
        "recording": FileVersion(name="a.wav", size=1, modified_ns=1),
        "asr": "tiny",
        "language": None,
        "seconds": 2.0,
        "speech_seconds": 1.7,
        "confidence": 0.9,
    }
    return Transcript.model_validate({**fields, "text": text, **changed})


TYPICAL = TypicalSpeech(characters_per_second=13.0, language="no", punctuated=True)
SUSPICIONS = [
    (transcript(), ""),
    (transcript(heard_language="no"), ""),
    (transcript("seven seven two", speech_seconds=1.0), ""),
    (transcript("Oh!", speech_seconds=0.3), ""),
    (transcript(confidence=0.61), ""),
    (transcript(confidence=0.60), "low confidence (0.60)"),
    (transcript("", problem="not readable as audio"), "not readable as audio"),
    (transcript("", speech_seconds=0.0, confidence=None), "no speech"),
    (transcript(""), "no word was recognised"),
    (transcript(" … "), "no word was recognised"),
    (transcript("Thank you.", speech_seconds=0.7), "makes up"),
    (transcript("Undertekster av Ai-Media", speech_seconds=1.7), "credits"),
    (transcript("ご視聴ありがとうございました", speech_seconds=1.2), "makes up"),
    (transcript("I know. I know. I know. I know.", speech_seconds=1.3), 'repeats "i know"'),
    (transcript("A whole sentence, well said.", speech_seconds=0.8), "words too many"),
    (transcript("A whole sentence, well said.", speech_seconds=4.0), "words missing"),
    (transcript(heard_language="da"), "detected as da, most clips as no"),
    (transcript(cut_off=True), "token limit"),
    (transcript(seconds=31.0), "longer than 30"),
    (transcript("A whole sentence, and then", seconds=29.9), "mid-sentence at 30 s"),
    (transcript("A whole sentence, and then", seconds=20.0), ""),
    (transcript('"A whole sentence," he said.”', seconds=29.9), ""),
]


@pytest.mark.parametrize(("doubtful", "expected"), SUSPICIONS)
def test_each_suspicion_has_its_message(doubtful: Transcript, expected: str) -> None:
    found = suspicions(doubtful, TYPICAL)
    assert len(found) == bool(expected)
    assert expected in "".join(found)


def test_without_punctuation_in_the_folder_no_full_stop_is_missed() -> None:
    unpunctuated = transcript("a whole sentence and then", seconds=29.9)
    assert suspicions(unpunctuated, TypicalSpeech(13.0, None, punctuated=False)) == []


def test_text_that_compresses_too_well_repeats_itself() -> None:
    text = " ".join(f"and then again we go to see the {word}" for word in ("sea", "bee", "fee", "pea", "tea") * 2)
    assert suspicions(transcript(text, speech_seconds=20.0), TYPICAL) == ["repeats itself"]


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("seven seven two", None),
        ("Seven, seven, seven!", "seven"),
        ("go on, go on and on", None),
        ("ha ha ha", None),
        ("ありがとうありがとうありがとう", "ありがとう"),
        ("x" * 400, "xxxx"),
        ("", None),
    ],
)
def test_a_phrase_said_three_times_is_found(text: str, phrase: str | None) -> None:
    assert repeated_phrase(text) == phrase


def test_typical_speech_is_a_median_and_a_majority() -> None:
    some = [transcript(heard_language=code) for code in ("no", "no", "da")]
    assert typical_speech([]) == TypicalSpeech(None, None, False)
    assert typical_speech(some) == TypicalSpeech(None, "no", True)
    quick = transcript(speech_seconds=0.5, heard_language="no")
    assert typical_speech([*some, quick, transcript("", speech_seconds=0.0), transcript("no stop")]) == TypicalSpeech(
        characters_per_second=transcript().characters_per_second, language="no", punctuated=True
    )


def test_the_review_page_escapes_text_and_links_recordings(tmp_path: Path) -> None:
    name = 'a "b" & #1.wav'
    odd = transcript("<script>alert(1)</script>", recording=FileVersion(name=name, size=1, modified_ns=1))
    write_review(tmp_path, [ReviewLine(transcript(), ()), ReviewLine(odd, ("low <confidence>",))])
    page = (tmp_path / "review.html").read_text()
    assert "<script>" not in page and "&lt;script&gt;" in page and "low &lt;confidence&gt;" in page
    assert 'src="a%20%22b%22%20%26%20%231.wav"' in page and 'src="a.wav"' in page
    assert "http" not in page and page.index("alert") < page.index("well said")
    assert "1 of 2 transcripts are doubtful" in page


def test_a_journal_keeps_recognisers_and_languages_apart(tmp_path: Path) -> None:
    journal = TranscriptJournal(tmp_path, "tiny", None)
    assert journal.read() == {}
    first = transcript()
    journal.add([first])
    (tmp_path / JOURNAL).write_bytes((tmp_path / JOURNAL).read_bytes() + b'{"asr": "ti')
    second = first.model_copy(update={"text": "again"})
    TranscriptJournal(tmp_path, "tiny", None).add([second, first.model_copy(update={"asr": "large"})])
    assert journal.read() == {first.recording: second}
    assert TranscriptJournal(tmp_path, "tiny", "no").read() == {}
