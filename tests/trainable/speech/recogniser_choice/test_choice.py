"""Which recogniser is chosen for a language, and what counts as being on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spaces.errors import InputError
from trainable.probe.texts.lines import shipped_names
from trainable.speech.asr import hub
from trainable.speech.asr.installed import RecogniserCheckpoint, cached_whispers, checkpoint_here, place_of
from trainable.speech.recogniser_choice.choice import (
    Choice,
    Surroundings,
    choose_detector,
    choose_recogniser,
    recogniser_bytes,
    surroundings,
)
from trainable.speech.recogniser_choice.languages import (
    LANGUAGES,
    TURBO,
    find_language,
    language_of_lines,
    near_languages,
)

LARGE, SMALL, TUNED = "openai/whisper-large-v3", "Systran/faster-whisper-small", "somebody/whisper-xxl-thai"
NB = "NbAiLab/nb-whisper-large"


def whisper(name: str, size: int = 1) -> RecogniserCheckpoint:
    return RecogniserCheckpoint(name, Path("/nowhere"), size, is_whisper=True)


def here(*names: str, named: str | None = None, hub: bool = False, sphinx: bool = True) -> Surroundings:
    sizes = {LARGE: 3, SMALL: 2, TUNED: 9}
    found = [whisper(name, sizes.get(name, 1)) for name in names]
    return Surroundings(whisper(named) if named else None, found, hub, sphinx)


@pytest.mark.parametrize(
    ("language", "there", "chosen"),
    [
        ("en", here(named=TURBO), (TURBO, "en")),
        ("en", here(LARGE, hub=True), (TURBO, "en")),
        ("no", here(TURBO, hub=True), (NB, "no")),
        ("no", here(TURBO, LARGE), (TURBO, "no")),
        ("no", here(SMALL, LARGE, TUNED), (LARGE, "no")),
        ("de", here(TUNED, SMALL), (SMALL, "de")),
        ("th", here(TUNED), (TUNED, "th")),
        ("ha", here(LARGE, hub=True), ("facebook/mms-1b-all", "hau")),
        ("ha", here(LARGE), (LARGE, "ha")),
        ("lb", here(hub=True), ("Lemswasabi/wav2vec2-large-xlsr-53-842h-luxembourgish-14h", "lb")),
        ("fr", here(hub=True), (TURBO, "fr")),
        ("en", here(SMALL), (SMALL, "en")),
        ("en", here(), ("pocketsphinx", "en")),
    ],
)
def test_the_named_one_comes_before_the_cache_and_the_cache_before_pocketsphinx(language, there, chosen) -> None:
    assert choose_recogniser(find_language(language), there) == Choice(*chosen)


@pytest.mark.parametrize(
    ("language", "there", "told"),
    [
        ("no", here(), [f"hear Norwegian: {NB}", "--recogniser FOLDER", "--recogniser none"]),
        ("en", here(sphinx=False), ["hear English", "pip install pocketsphinx"]),
    ],
)
def test_where_nothing_hears_the_language_the_error_says_what_to_do(language, there, told) -> None:
    with pytest.raises(InputError) as refused:
        choose_recogniser(find_language(language), there)
    assert all(words in str(refused.value) for words in told)
    assert "pocketsphinx" not in str(refused.value) or language == "en"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [("no", "no"), (" Norwegian", "no"), ("nb", "no"), ("nob", "no"), ("Bokmål", "no"), ("nn", "nn"), ("Nynorsk", "nn"),
     ("eng", "en"), ("LTZ", "lb"), ("hausa", "ha"), ("thai", "th"), ("mandarin", "zh"), ("klingon", None), ("", None)],
)  # fmt: skip
def test_a_language_is_found_by_code_or_english_name(wanted: str, code: str | None) -> None:
    found = find_language(wanted)
    assert (found and found.code) == code


def test_the_table_has_all_shipped_lines_and_suggests_what_is_near() -> None:
    assert {each.lines for each in LANGUAGES} - {None} == set(shipped_names()) - {"digits"}
    assert language_of_lines("german") is find_language("de") and language_of_lines("digits") is None
    assert near_languages("norwegain").startswith("no (norwegian)")


def cached(cache: Path, name: str, config: dict, weights: str | None = "model.safetensors") -> Path:
    folder = cache / f"models--{name.replace('/', '--')}"
    snapshot = folder / "snapshots" / "1234"
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("1234")
    (snapshot / "config.json").write_text(json.dumps(config))
    if weights:
        (snapshot / weights).write_bytes(b"12345")
    return snapshot


WHISPER = {"model_type": "whisper"}
LANGUAGE_IDS = {"is_multilingual": True, "lang_to_id": {"<|en|>": 1, "<|de|>": 2}}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path


def test_the_cache_has_a_whisper_where_it_has_its_weights(cache: Path) -> None:
    described = cached(cache, LARGE, WHISPER)
    (described / "generation_config.json").write_text(json.dumps(LANGUAGE_IDS))
    english = cached(cache, "openai/whisper-tiny.en", WHISPER)
    (english / "generation_config.json").write_text(json.dumps({"is_multilingual": False}))
    cached(cache, TURBO, WHISPER, weights=None)
    cached(cache, "somebody/bert", {"model_type": "bert"})
    large, tiny = cached_whispers()
    assert (large.name, large.bytes, tiny.name) == (LARGE, 5, "openai/whisper-tiny.en")
    assert [large.hears(each) for each in ("en", "de", "no", None)] == [True, True, False, True]
    assert [tiny.hears(each) for each in ("en", "de", None)] == [True, False, False]
    assert choose_detector([tiny, large]) == LARGE and choose_detector([tiny]) is None
    assert choose_recogniser(find_language("de"), surroundings(find_language("de"))) == Choice(LARGE, "de")
    assert place_of(LARGE, "de") == place_of(LARGE, None) == str(described) and place_of(LARGE, "no") == LARGE
    assert place_of(TURBO, "de") == TURBO and place_of(str(described), "de") == str(described)
    assert checkpoint_here(TURBO) is None and checkpoint_here("nobody/nothing") is None
    assert recogniser_bytes(LARGE) == 5 and recogniser_bytes(NB) > 6e9 and recogniser_bytes("nobody/nothing") is None


def test_an_mms_in_the_cache_hears_the_languages_of_its_adapters_there(cache: Path) -> None:
    config = {"model_type": "wav2vec2", "architectures": ["Wav2Vec2ForCTC"], "adapter_attn_dim": 16}
    snapshot = cached(cache, "facebook/mms-1b-all", config)
    (snapshot / "vocab.json").write_text(json.dumps({"hau": {"a": 0}, "eng": {"a": 0}}))
    (snapshot / "adapter.hau.safetensors").touch()
    mms = checkpoint_here("facebook/mms-1b-all")
    assert mms is not None and not mms.is_whisper
    assert [mms.hears(each) for each in ("hau", "eng", "ha", None)] == [True, False, False, False]


def test_the_hub_is_not_asked_offline(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*arguments, **more):
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("huggingface_hub.get_session", asked)
    assert not hub.is_hub_reachable() and not hub.hub_has(TURBO)
