"""Transcripts of a Whisper, and checkpoints that are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spaces.errors import InputError
from tests.support.paths import DEMO_VOICE
from tests.support.tiny_whisper import LANGUAGES, POSITIONS, PROMPT, make_tiny_whisper
from tests.support.transcribe_command import command
from trainable.speech.asr.whisper import RATE, check_language, open_whisper
from trainable.speech.audio import SAMPLE_RATE, read_audio, resample

SAID = "one two three"


@pytest.fixture(scope="module")
def asr(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_tiny_whisper(tmp_path_factory.mktemp("asr") / "tiny", f" {SAID}"))


@pytest.mark.parametrize("multilingual", [True, False])
def test_a_whisper_transcribes_batches_in_order(multilingual: bool, tmp_path: Path) -> None:
    whisper = open_whisper(str(make_tiny_whisper(tmp_path, f" {SAID}", multilingual=multilingual)), None)
    wave = resample(read_audio(DEMO_VOICE / "ref.wav"), SAMPLE_RATE, RATE)
    heard = whisper.transcribe([wave] * (whisper.batch + 1))
    assert [each.text for each in heard] == [SAID] * (whisper.batch + 1)
    assert all(each.tokens == len(f" {SAID}") + 1 and not each.cut_off for each in heard)
    assert all((each.language in LANGUAGES) if multilingual else each.language is None for each in heard)


@pytest.mark.parametrize("multilingual", [True, False])
def test_timestamps_are_no_part_of_the_text(multilingual: bool, tmp_path: Path) -> None:
    whisper = open_whisper(str(make_tiny_whisper(tmp_path, f" {SAID}", multilingual=multilingual)), None)
    wave = resample(read_audio(DEMO_VOICE / "clip_001.wav"), SAMPLE_RATE, RATE)
    heard = whisper.transcribe_with_timestamps(wave, "no" if multilingual else None)
    assert (heard.text, heard.language) == (SAID, "no" if multilingual else None)
    # The first timestamp, the bytes of the text, and the end.
    assert heard.tokens == 1 + len(f" {SAID}") + 1 and not heard.cut_off


@pytest.mark.parametrize(("language", "code"), [("no", "no"), ("Norwegian", "no"), (" de ", "de"), ("English", "en")])
def test_a_language_is_given_by_code_or_name(language: str, code: str, asr: str) -> None:
    wave = resample(read_audio(DEMO_VOICE / "ref.wav"), SAMPLE_RATE, RATE)
    assert open_whisper(asr, language).transcribe([wave])[0].language == code


def test_the_log_probability_is_that_of_the_tokens(asr: str) -> None:
    """Against the model's own logits of prompt and text in one pass."""
    whisper = open_whisper(asr, "en")
    wave = resample(read_audio(DEMO_VOICE / "clip_001.wav"), SAMPLE_RATE, RATE)
    heard = whisper.transcribe([wave])[0]
    model, processor = whisper._model, whisper._processor
    features = processor.feature_extractor([wave], sampling_rate=RATE, return_tensors="pt").input_features
    names = ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
    text = processor.tokenizer(f" {SAID}", add_special_tokens=False).input_ids
    ids = torch.tensor([[*processor.tokenizer.convert_tokens_to_ids(names), *text]])
    with torch.inference_mode():
        log_probs = model(features, decoder_input_ids=ids).logits.log_softmax(-1)[0, PROMPT - 1 :]
    targets = torch.tensor([*text, model.generation_config.eos_token_id])
    assert heard.log_probability == pytest.approx(log_probs.gather(1, targets[:, None]).mean().item(), abs=1e-4)


def test_a_whisper_that_never_ends_is_stopped_and_says_so(tmp_path: Path) -> None:
    whisper = open_whisper(str(make_tiny_whisper(tmp_path, " so", ends=False)), "en")
    heard = whisper.transcribe([np.zeros(RATE, dtype=np.float32)])[0]
    assert heard.cut_off and heard.text.startswith("sooo") and heard.tokens == POSITIONS - PROMPT


def test_a_batch_too_large_for_memory_is_halved(asr: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whisper = open_whisper(asr, "en")
    room, generate = 2, whisper._model.generate

    def crowded(features: torch.Tensor, **options):
        if len(features) > room:
            raise torch.OutOfMemoryError
        return generate(features, **options)

    monkeypatch.setattr(whisper._model, "generate", crowded)
    waves = [np.zeros(RATE, dtype=np.float32)] * 7
    assert [each.text for each in whisper.transcribe(waves)] == [SAID] * 7
    room = 0
    with pytest.raises(InputError, match="smaller Whisper"):
        whisper.transcribe(waves)


def break_weights(folder: Path) -> str:
    make_tiny_whisper(folder)
    (folder / "model.safetensors").write_bytes(b"nothing")
    return str(folder)


def forget_processor(folder: Path) -> str:
    make_tiny_whisper(folder)
    (folder / "preprocessor_config.json").unlink()
    return str(folder)


def other_model(folder: Path) -> str:
    (folder / "config.json").write_text('{"model_type": "qwen3_tts"}')
    return str(folder)


def english_only(folder: Path) -> str:
    return str(make_tiny_whisper(folder, multilingual=False))


WHISPERS = [
    (lambda folder: str(folder), None, "no readable config.json"),
    (other_model, None, "expected a Whisper or a checkpoint with a CTC head, got model_type qwen3_tts"),
    (break_weights, None, "cannot be loaded"),
    (forget_processor, None, "cannot be loaded"),
    (lambda folder: "a/b/c", None, "not a hub id"),
    (lambda folder: "nobody/nothing", None, "hub cannot be reached"),
    (english_only, "no", "knows English only"),
    (lambda folder: str(make_tiny_whisper(folder)), "klingon", "expected one of de, en, no"),
    (lambda folder: str(make_tiny_whisper(folder)), "french", "expected one of de, en, no"),
]


@pytest.mark.parametrize(("prepare", "language", "message"), WHISPERS, ids=[case[2] for case in WHISPERS])
def test_an_unusable_whisper_is_refused_with_a_message(
    prepare, language: str | None, message: str, tmp_path: Path, untranscribed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    folder = tmp_path / "asr"
    folder.mkdir()
    options = ["--language", language] if language else []
    held = sorted(untranscribed.iterdir())
    code, said = command(untranscribed, "--asr", prepare(folder), *options)
    assert code == 2 and message in said and "Traceback" not in said
    assert sorted(untranscribed.iterdir()) == held


def test_the_language_is_optional() -> None:
    assert check_language("m", None, {}, True) is None
    assert check_language("m.en", "en", {}, False) is None
    with pytest.raises(InputError, match="names no languages"):
        check_language("m", "no", {}, True)
