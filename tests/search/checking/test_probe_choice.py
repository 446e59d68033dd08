"""What stands for `auto` in the probe of a plan: recogniser, language and lines."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from search.checking import probe_choice
from search.checking.probe_choice import choose_probe, said_language
from search.planning.plan import Plan
from spaces.errors import InputError
from tests.support.measured_clips import dataset, varied
from tests.support.toy_search import toy_plan
from trainable.dataset.clip import VoiceDataset
from trainable.speech.asr import installed
from trainable.speech.asr.installed import RecogniserCheckpoint

TURBO = "openai/whisper-large-v3-turbo"


@pytest.fixture
def plan(tmp_path) -> Plan:
    return toy_plan(tmp_path)


def with_probe(plan: Plan, language_of_model: str = "auto", **probe: str) -> Plan:
    probe = {"lines": "auto", "recogniser": "auto", **probe}
    space = plan.space.model_copy(
        update={"language": language_of_model, "probe": plan.space.probe.model_copy(update=probe)}
    )
    return dataclasses.replace(plan, space=space)


def clips(*languages: str | None) -> VoiceDataset:
    return dataset(
        *(dataclasses.replace(each, language=languages[at % len(languages)]) for at, each in enumerate(varied(12)))
    )


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cache and no hub, but pocketsphinx."""
    monkeypatch.setattr(installed, "cached_whispers", lambda: ())
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def one_whisper(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Whisper that hears every language, and guesses Norwegian."""
    whisper = RecogniserCheckpoint(TURBO, tmp_path, 1, is_whisper=True)
    monkeypatch.setattr(RecogniserCheckpoint, "hears", lambda self, language: True)
    monkeypatch.setattr(installed, "cached_whispers", lambda: (whisper,))
    monkeypatch.setattr(probe_choice, "guess_language", lambda name, paths: Counter({"no": 9, "da": 1}))


def chosen(plan: Plan, voice: VoiceDataset, answer: bool = True) -> tuple[str, str, str, list[str]]:
    """Recogniser, language and lines, and what the user was asked."""
    asked: list[str] = []

    def confirm(statement: str) -> bool:
        asked.append(statement)
        return answer

    probe = choose_probe(plan, voice, confirm, may_download=True).space.probe
    return probe.recogniser, probe.language, probe.lines, asked


@pytest.mark.parametrize(
    ("probe", "languages", "said"),
    [
        ({"language": "nob"}, ("english",), "no"),
        ({"language_of_model": "german"}, ("english",), "de"),
        ({"lines": "norwegian"}, ("english",), "no"),
        ({"recogniser": "pocketsphinx"}, ("german",), "en"),
        ({}, ("English",), "en"),
        ({}, ("no", "norwegian", None), "no"),
        ({}, ("no", None, None), None),
        ({}, ("Auto",), None),
        ({}, (None,), None),
    ],
)
def test_the_language_is_said_by_the_space_or_by_most_clips(plan, probe, languages, said) -> None:
    language = said_language(with_probe(plan, **probe).space, clips(*languages))
    assert (language and language.code) == said


def test_english_clips_get_pocketsphinx_and_english_lines_where_nothing_else_hears(plan) -> None:
    assert chosen(with_probe(plan), clips("en")) == ("pocketsphinx", "en", "english", [])
    assert chosen(with_probe(plan, language="en", lines="digits"), clips(None)) == ("pocketsphinx", "en", "digits", [])


def test_a_guess_is_asked_about_once_and_taken(plan, one_whisper) -> None:
    asked = f"The clips are in Norwegian: {TURBO} hears it in 9 of 10"
    assert chosen(with_probe(plan), clips(None)) == (TURBO, "no", "norwegian", [asked])
    with pytest.raises(InputError, match="--language"):
        chosen(with_probe(plan), clips(None), answer=False)


def test_a_language_without_shipped_lines_gets_held_out_transcripts(plan, one_whisper) -> None:
    assert chosen(with_probe(plan), clips("french")) == (TURBO, "fr", "held-out", [])


def test_without_words_to_hear_no_question_is_asked(plan) -> None:
    assert chosen(with_probe(plan, recogniser="none"), clips(None)) == ("none", "auto", "held-out", [])
    assert chosen(with_probe(plan, recogniser="none", language="no"), clips(None)) == ("none", "no", "norwegian", [])


@pytest.mark.parametrize("may_download", [True, False])
def test_where_nothing_can_guess_the_language_has_to_be_said(plan, may_download: bool) -> None:
    with pytest.raises(InputError, match="no multilingual Whisper is here.*--language no"):
        choose_probe(with_probe(plan), clips(None), lambda statement: True, may_download)


def test_a_language_that_no_whisper_knows_needs_a_named_recogniser(plan) -> None:
    with pytest.raises(InputError, match="no recogniser is known for it"):
        chosen(with_probe(plan, language="yor"), clips(None))
    assert chosen(with_probe(plan, language="yor", recogniser="none"), clips(None))[1:3] == ("yor", "held-out")


def test_what_is_said_or_recorded_stays(plan) -> None:
    said = with_probe(plan, lines="digits", recogniser="pocketsphinx")
    resumed = dataclasses.replace(with_probe(plan), resume=True)
    for each in (said, resumed):
        assert choose_probe(each, clips("no"), lambda statement: True, may_download=True) is each
