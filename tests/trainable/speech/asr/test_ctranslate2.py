"""A Whisper converted for CTranslate2: recognised by its files, with the transcripts of the original checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spaces.errors import InputError
from tests.support.paths import ROOT
from tests.support.tiny_whisper import make_tiny_whisper
from trainable.speech.asr.ctranslate2 import is_faster_whisper, open_faster_whisper
from trainable.speech.asr.model_config import read_config
from trainable.speech.asr.recogniser import check_recogniser, open_recogniser
from trainable.speech.asr.whisper import open_whisper
from trainable.speech.audio import SAMPLE_RATE, read_audio, resample
from trainable.speech.text.error_rate import normalise
from trainable.speech.vad import RATE

CLIP = ROOT / "demo" / "voice" / "clip_000.wav"


def described(folder: Path, start: int = 50_258) -> str:
    """The files of a converted checkpoint, without weights."""
    (folder / "config.json").write_text(json.dumps({"lang_ids": [1, 2], "suppress_ids": [], "alignment_heads": []}))
    names = ("startoftranscript", "en", "no", "translate", "transcribe")
    tokens = [{"id": start + place, "content": f"<|{name}|>"} for place, name in enumerate(names)]
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": tokens}))
    return str(folder)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert(tmp_path_factory.mktemp("asr"), " One, two THREE.")


def convert(folder: Path, sentence: str) -> Path:
    pytest.importorskip("faster_whisper", reason="the extra fast-whisper is not installed")
    from ctranslate2.converters import TransformersConverter

    # CTranslate2 takes a vocabulary as small as this one for an English-only model.
    original = make_tiny_whisper(folder / "whisper", sentence, multilingual=False)
    files = ["tokenizer.json", "preprocessor_config.json"]
    TransformersConverter(str(original), copy_files=files).convert(str(folder / "converted"))
    return folder / "converted"


def test_it_transcribes_speech_and_nothing_in_silence(converted: Path) -> None:
    check_recogniser(str(converted), "en")
    recogniser = open_recogniser(str(converted), [], "en")
    assert recogniser is not None
    wave = read_audio(CLIP)
    heard = recogniser.transcribe([wave, 0 * wave, wave])
    assert [normalise(each) for each in heard] == ["one two three", "", "one two three"]


def test_it_tells_how_sure_it_is_and_leaves_timestamps_out(tmp_path: Path) -> None:
    # faster-whisper suppresses the first bytes of some signs, among them the space: here every byte is a token.
    said = "one,two,three."
    whisper = open_faster_whisper(str(convert(tmp_path, said)), "en")
    wave = resample(read_audio(CLIP), SAMPLE_RATE, RATE)
    [heard], again = whisper.transcribe([wave]), whisper.transcribe_with_timestamps(wave, None)
    assert heard.text == again.text == said
    assert heard.tokens == len(said) + 1 < again.tokens and not heard.cut_off
    original = open_whisper(str(tmp_path / "whisper"), "en").transcribe([wave])[0]
    assert heard.log_probability == pytest.approx(original.log_probability, abs=0.05)


def test_a_converted_whisper_is_recognised_by_its_config(converted: Path) -> None:
    assert is_faster_whisper(read_config(str(converted)))
    assert not is_faster_whisper(read_config(str(converted.parent / "whisper")))


@pytest.mark.parametrize("language", ["de", "klingon"])
def test_an_unknown_language_is_refused(language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainable.speech.asr.ctranslate2.find_spec", lambda name: object())
    with pytest.raises(InputError, match="expected one of en, no"):
        check_recogniser(described(tmp_path), language)
    check_recogniser(str(tmp_path), "no")
    with pytest.raises(InputError, match="knows English only"):
        check_recogniser(described(tmp_path, start=50_257), "no")


def test_without_the_package_the_error_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainable.speech.asr.ctranslate2.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install faster-whisper"):
        check_recogniser(described(tmp_path), "en")


def test_unreadable_weights_are_refused_with_a_message(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper", reason="the extra fast-whisper is not installed")
    (tmp_path / "model.bin").write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be loaded"):
        open_recogniser(described(tmp_path), [], "en")
