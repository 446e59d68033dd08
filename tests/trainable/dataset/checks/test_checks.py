"""Every check, with a dataset that triggers it and one that does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.measured_clips import clip, dataset, reference, varied
from trainable.dataset.checks.all import CHECKS, check_dataset
from trainable.dataset.checks.guide_table import advise
from trainable.dataset.checks.transcripts import ambiguous_words
from trainable.dataset.clip import Clip, Speaker, VoiceDataset
from trainable.dataset.finding import Finding, Severity
from trainable.dataset.formatting import MAX_ITEMS

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


def found(data: VoiceDataset, check: str) -> list[Finding]:
    return [finding for finding in check_dataset(data) if finding.check == check]


def with_faulty_clip(**changes) -> VoiceDataset:
    """A good dataset and one more clip with these changes."""
    return dataset(*varied(), clip(changes.pop("text", "one more sentence that is spoken"), 50, **changes))


def plain(count: int, **changes) -> list[Clip]:
    return [
        clip(f"sentence {'abcdefghijklmnopqrstuvwxyz'[place]} and more", place, **changes) for place in range(count)
    ]


def two_speakers(first: int, second: int) -> VoiceDataset:
    return dataset(
        *(clip(f"words {'x' * place}", place, speaker="anna") for place in range(first)),
        *(clip(f"words {'y' * place}", 100 + place, speaker="bo") for place in range(second)),
    )


@pytest.mark.parametrize(
    ("check", "severity", "bad", "good"),
    [
        ("silent", ERROR, with_faulty_clip(speech_share=0.0), with_faulty_clip(speech_share=0.1)),
        ("silent", ERROR, with_faulty_clip(rms_dbfs=-61.0), with_faulty_clip(rms_dbfs=-59.0)),
        ("quiet", WARNING, with_faulty_clip(rms_dbfs=-41.0), with_faulty_clip(rms_dbfs=-39.0)),
        ("quiet", WARNING, with_faulty_clip(rms_dbfs=-59.0), with_faulty_clip(rms_dbfs=-61.0)),
        ("clipped", WARNING, with_faulty_clip(clipped_share=0.0011), with_faulty_clip(clipped_share=0.001)),
        ("dc-offset", WARNING, with_faulty_clip(dc=-0.011), with_faulty_clip(dc=-0.009)),
        ("long", WARNING, with_faulty_clip(seconds=30.1), with_faulty_clip(seconds=30.0)),
        ("short", WARNING, with_faulty_clip(seconds=0.29), with_faulty_clip(seconds=0.3)),
        ("tempo", WARNING, with_faulty_clip(seconds=10.0), with_faulty_clip(seconds=2.5)),
        ("tempo", WARNING, with_faulty_clip(text="Oh!", seconds=3.0), with_faulty_clip(text="Oh!", seconds=0.5)),
        ("sample-rate", WARNING, with_faulty_clip(rate=22_050), with_faulty_clip(rate=48_000)),
        ("bandwidth", WARNING, with_faulty_clip(bandwidth=3_700.0), with_faulty_clip(bandwidth=6_000.0)),
        ("bandwidth", WARNING, dataset(*plain(9, bandwidth=7e3, seconds=2.0)), dataset(*plain(9, seconds=2.0))),
        ("converted", NOTE, with_faulty_clip(rate=44_100), with_faulty_clip()),
        ("converted", NOTE, with_faulty_clip(channels=2), with_faulty_clip()),
        ("duplicate-audio", ERROR, with_faulty_clip(sha256=f"{3:064d}"), with_faulty_clip()),
        ("duplicate-audio", WARNING, dataset(*varied(), clip("Right.", 50, sha256=f"{0:064d}")), with_faulty_clip()),
        ("wordless", ERROR, with_faulty_clip(text="…!"), with_faulty_clip(text="Oh!")),
        ("symbols", WARNING, with_faulty_clip(text="it costs $5"), with_faulty_clip(text="it costs five dollars")),
        ("duplicate-text", NOTE, with_faulty_clip(text="right"), with_faulty_clip(text="wrong")),
        ("duplicate-text", WARNING, dataset(*plain(9), *plain(2)), dataset(*plain(9))),
        ("reference", WARNING, dataset(*varied(), reference=reference(seconds=8.0)), dataset(*varied())),
        ("reference", WARNING, dataset(*varied(), reference=reference(clipped_share=0.01)), dataset(*varied())),
        ("reference", WARNING, dataset(*varied(), reference=reference(noise_dbfs=-35.0)), dataset(*varied())),
        ("reference", WARNING, dataset(*varied(), reference=reference(longest_pause=2.0)), dataset(*varied())),
        ("reference", WARNING, dataset(*varied(), reference=reference(rms_dbfs=-30.0)), dataset(*varied())),
        ("reference", ERROR, dataset(*varied(), reference=reference(speech_share=0.0)), dataset(*varied())),
        ("reference-text", WARNING, dataset(*varied(), reference=reference(text="few")), dataset(*varied())),
        ("reference-text", WARNING, dataset(*varied(), reference=reference(text="word " * 99)), dataset(*varied())),
        ("reference-text", ERROR, dataset(*varied(), reference=reference(text="?!")), dataset(*varied())),
        (
            "reference-text",
            ERROR,
            dataset(*varied(), reference=reference(sha256=f"{5:064d}")),
            dataset(*varied(), reference=dataclasses.replace(varied()[5], text=varied()[5].text.upper())),
        ),
        ("minutes", WARNING, dataset(*varied()), dataset(*plain(20, seconds=46.0))),
        ("short-utterances", WARNING, dataset(*varied()[4:]), dataset(*varied())),
        (
            "short-utterances",
            WARNING,
            dataset(clip("哦天气很好我们今天出去走走看看山上的花开了没有吧", seconds=4.0)),
            dataset(clip("哦", seconds=2.0)),
        ),
        ("variety-length", WARNING, dataset(*plain(9)), dataset(*varied())),
        ("variety-loudness", WARNING, dataset(*plain(9, rms_dbfs=-20.0)), dataset(*varied())),
        ("variety-length", WARNING, dataset(*plain(5)), dataset(*plain(4))),
        ("held-out", NOTE, dataset(*varied(9)), dataset(*varied(10))),
        ("speakers", WARNING, two_speakers(40, 29), two_speakers(40, 30)),
        ("nothing-to-train-on", ERROR, dataset(*plain(3, held_out=True)), dataset(*plain(3))),
        ("leakage", WARNING, with_faulty_clip(text="right!", held_out=True), with_faulty_clip(held_out=True)),
        ("leakage", ERROR, with_faulty_clip(sha256=f"{5:064d}", held_out=True), with_faulty_clip(sha256=f"{5:064d}")),
        ("no-clips", ERROR, dataset(), dataset(*varied())),
        ("identical-codes", ERROR, dataset(*(plain(3, codes=((1,) * 16,) * 5))), dataset(*plain(3))),
        (
            "code-shape",
            ERROR,
            with_faulty_clip(codes=((1,) * 16, (1,) * 15)),
            with_faulty_clip(codes=(tuple(range(16)),) * 2),
        ),
    ],
)
def test_each_check_finds_its_fault(check: str, severity: Severity, bad: VoiceDataset, good: VoiceDataset) -> None:
    assert severity in [finding.severity for finding in found(bad, check)]
    assert severity not in [finding.severity for finding in found(good, check)]


def test_a_language_other_than_the_most_frequent_is_a_warning() -> None:
    clips = [dataclasses.replace(each, language="English") for each in varied()]
    assert found(dataset(*clips, clip("noch ein Satz", 50, language="english")), "language") == []
    (finding,) = found(dataset(*clips, clip("noch ein Satz", 50, language="German")), "language")
    assert finding.severity is WARNING and "(German)" in finding.message and "most are english" in finding.message


def test_a_good_dataset_has_notes_only() -> None:
    clips = [clip("Right.", 0)] + [clip(f"{'word ' * (5 + place % 30)}{place * 'x'}", place) for place in range(1, 130)]
    assert {finding.severity for finding in check_dataset(dataset(*clips))} == {NOTE}


def test_many_clips_share_one_finding_that_names_three() -> None:
    clips = plain(20, clipped_share=0.5)
    (finding,) = found(dataset(*clips), "clipped")
    assert finding.message.startswith("20 clips are clipped: clip_0.wav (50.0 %)")
    assert finding.message.count(".wav") == MAX_ITEMS and "and 17 more" in finding.message
    assert finding.clips == tuple(str(each.audio) for each in clips)
    assert finding.where == "/voice"


def test_a_finding_on_one_clip_is_at_its_line() -> None:
    (finding,) = found(with_faulty_clip(clipped_share=0.5), "clipped")
    assert finding.where == "/voice/metadata.jsonl:51" and finding.clips == ("/voice/clip_50.wav",)


def test_errors_come_first() -> None:
    severities = [finding.severity for finding in check_dataset(with_faulty_clip(speech_share=0.0, dc=0.1))]
    assert severities == sorted(severities, key=[ERROR, WARNING, NOTE].index)
    assert {ERROR, WARNING, NOTE} == set(severities)


def test_leakage_names_both_lines() -> None:
    (finding,) = found(dataset(*varied(), clip("RIGHT", 50, held_out=True)), "leakage")
    assert "metadata.jsonl:51 and metadata.jsonl:1 " in finding.message
    assert set(finding.clips) == {"/voice/clip_0.wav", "/voice/clip_50.wav"}


def test_a_better_reference_is_proposed_if_there_is_one() -> None:
    good = clip("a calm and long passage " * 8, 60)
    poor = reference(seconds=2.0, text="a short one of few words")
    (finding,) = found(dataset(*varied(), good, reference=poor), "reference")
    assert "best among the clips is clip_60.wav" in finding.message
    (finding,) = found(dataset(*varied(6), reference=reference(seconds=9.0, text="word " * 31)), "reference")
    assert "no clip does better" in finding.message


def test_each_speaker_has_its_own_reference_checked() -> None:
    data = two_speakers(30, 30)
    poor = Speaker("bo", 0, reference(seconds=2.0, text="a short one of few words", where="refs/bo.txt"))
    findings = found(dataclasses.replace(data, speakers=(data.speakers[0], poor)), "reference")
    assert [finding.where for finding in findings] == ["refs/bo.txt"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nothing here, really: it's fine – yes?", []),
        ("Ƙasa, ɗaki; øre – “naïve” ʼn", []),
        ("天气很好。", []),
        ("at 5 pm", ["5"]),
        ("10 % or 3/4", ["10", "%", "3/4"]),
        ("a@b.de and https://x.y/z, or www.x.y.", ["a@b.de", "https://x.y/z", "www.x.y"]),
        ("20°C for €3 + £2", ["20°C", "€3", "+", "£2"]),
        ("½ of ٣ ✓", ["½", "٣", "✓"]),
        ("C# and R&D_x", ["C#", "R&D_x"]),
    ],
)
def test_ambiguous_words_are_found(text: str, words: list[str]) -> None:
    assert ambiguous_words(text) == words


@pytest.mark.parametrize(
    ("clips", "epochs", "rate"),
    [(30, (10, 15), 5e-6), (60, (5, 8), 3e-6), (120, (3, 3), 2e-6), (12, (21, 33), 5e-6), (150, (2, 2), 2e-6)],
)
def test_the_guides_table(clips: int, epochs: tuple[int, int], rate: float) -> None:
    advice = advise(clips)
    assert (advice.epochs, advice.learning_rate) == (epochs, rate)


@given(st.integers(1, 150))
def test_the_guides_advice_is_within_its_table(clips: int) -> None:
    advice = advise(clips)
    assert 1 <= advice.epochs[0] <= advice.epochs[1]
    assert 2e-6 <= advice.learning_rate <= 5e-6
    assert advice.passes[1] <= 600


@pytest.mark.parametrize(("clips", "words"), [(151, "does not apply"), (150, "2 epochs")])
def test_beyond_the_table_there_is_no_advice(clips: int, words: str) -> None:
    (finding,) = found(
        dataset(*(clip(f"text {'x' * place}", place, held_out=place >= clips) for place in range(clips + 2))), "guide"
    )
    assert f"{clips} clips to train on" in finding.message and words in finding.message


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
numbers = st.floats(0, 1e4, allow_nan=False)
checks: st.SearchStrategy[Callable] = st.sampled_from(CHECKS)


@given(checks, st.lists(st.tuples(texts, numbers, st.booleans(), st.integers(0, 3)), min_size=1, max_size=6))
def test_no_check_raises_on_any_clips(check: Callable, rows: list) -> None:
    clips = [
        clip(text, place, seconds=seconds + 1e-4, held_out=side, sha256=f"{sha:064d}", rms_dbfs=-seconds / 100)
        for place, (text, seconds, side, sha) in enumerate(rows)
    ]
    data = dataset(*clips, reference=dataclasses.replace(clips[0], text=rows[-1][0]))
    assert all(finding.message and finding.where for finding in check(data))
