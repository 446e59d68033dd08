"""Recognisers: transcripts and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from spaces.errors import InputError
from tests.support.paths import ROOT
from tests.support.tiny_ctc import make_tiny_ctc
from tests.support.tiny_whisper import LANGUAGES, make_tiny_whisper
from trainable.speech.asr.checkpoint_recogniser import CheckpointRecogniser, open_checkpoint
from trainable.speech.asr.ctc import open_ctc
from trainable.speech.asr.recogniser import check_recogniser, open_recogniser
from trainable.speech.asr.transcription import SpeechModel, Transcription
from trainable.speech.audio import SAMPLE_RATE, read_audio, resample
from trainable.speech.recogniser_choice.detect_language import detect_languages

VOICE = ROOT / "demo" / "voice"
RATE = 16_000
NO_SPEECH = [
    np.zeros(0, dtype=np.float32),
    np.zeros(7, dtype=np.float32),
    np.zeros(3 * SAMPLE_RATE, dtype=np.float32),
    np.full(SAMPLE_RATE, np.nan, dtype=np.float32),
    np.random.default_rng(0).normal(0, 0.1, 3 * SAMPLE_RATE).astype(np.float32),
]


class MadeModel:
    """A model whose transcripts a function makes."""

    batch = 1

    def __init__(self, say: Callable[[np.ndarray], str]) -> None:
        self._say = say

    def transcribe(self, waves: Sequence[np.ndarray]) -> list[Transcription]:
        return [Transcription(self._say(wave)) for wave in waves]


def texts(model: SpeechModel, waves: Sequence[np.ndarray]) -> list[str]:
    return [each.text for each in model.transcribe(waves)]


def clip(number: int) -> np.ndarray:
    return read_audio(VOICE / f"clip_{number:03d}.wav")


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_tiny_whisper(tmp_path_factory.mktemp("asr") / "whisper", " One, two THREE."))


@pytest.fixture(scope="module")
def mms(tmp_path_factory: pytest.TempPathFactory) -> str:
    wave = resample(clip(1), SAMPLE_RATE, RATE)
    return str(make_tiny_ctc(tmp_path_factory.mktemp("asr") / "mms", wave, {"eng": "three seven", "nob": "sju å tre"}))


def test_a_whisper_transcribes_speech_and_nothing_else(whisper: str) -> None:
    recogniser = open_recogniser(whisper, [], "en")
    assert recogniser is not None
    assert recogniser.transcribe([clip(0)]) == recogniser.transcribe([clip(0)]) == ["One, two THREE."]
    assert recogniser.transcribe(NO_SPEECH) == [""] * len(NO_SPEECH)
    assert recogniser.transcribe([]) == []


def test_a_whisper_guesses_the_language_of_each_recording(whisper: str) -> None:
    recordings = [str(VOICE / f"clip_{number:03d}.wav") for number in range(2)]
    guessed = detect_languages(whisper, recordings)
    assert len(guessed) == 2 and set(guessed) <= set(LANGUAGES)


def test_a_long_wave_is_transcribed_to_its_end(whisper: str) -> None:
    wave = np.concatenate([part for number in range(16) for part in (clip(number), NO_SPEECH[2][:SAMPLE_RATE])])
    assert wave.size > 30 * SAMPLE_RATE
    recogniser = open_recogniser(whisper, [], "auto")
    assert recogniser is not None
    assert len(recogniser.transcribe([wave])[0].split()) >= 6


def test_a_checkpoint_is_loaded_once_per_process(whisper: str) -> None:
    assert open_recogniser(whisper, ["a"], "en") is open_recogniser(whisper, ["b"], "en")
    assert open_recogniser(whisper, ["a"], "en") is not open_recogniser(whisper, ["a"], "no")


@pytest.mark.parametrize(
    ("said", "silence", "heard"),
    [
        ("Thank you.", 0.0, "Thank you."),
        ("Thank you.", 8.0, ""),
        ("Undertekster av Ai-Media", 8.0, ""),
        ("Seven.", 8.0, "Seven."),
        ("$5.20 for 10 km", 0.0, "$5.20 for 10 km"),
    ],
)
def test_a_hallucination_on_sparse_speech_is_dropped(said: str, silence: float, heard: str) -> None:
    recogniser = CheckpointRecogniser(MadeModel(lambda wave: said))
    blip = clip(0)[: SAMPLE_RATE * 4 // 5]
    around = np.zeros(round(silence * SAMPLE_RATE / 2), dtype=np.float32)
    assert recogniser.transcribe([np.concatenate([around, blip, around]), blip]) == [heard, said]


def test_silence_at_the_ends_is_trimmed() -> None:
    heard: list[int] = []
    recogniser = CheckpointRecogniser(MadeModel(lambda wave: heard.append(wave.size) or "x"))
    recogniser.transcribe([np.concatenate([NO_SPEECH[2], clip(0), NO_SPEECH[2]])])
    assert len(heard) == 1 and heard[0] / RATE < clip(0).size / SAMPLE_RATE + 1


def test_windows_run_longest_first_and_are_returned_in_order() -> None:
    lengths: list[int] = []

    def say(wave: np.ndarray) -> str:
        lengths.append(wave.size)
        return str(wave.size)

    clips = [clip(number) for number in range(5)]
    together = CheckpointRecogniser(MadeModel(say)).transcribe([clips[0], NO_SPEECH[2], *clips[1:]])
    assert lengths == sorted(lengths, reverse=True) and len(set(lengths)) > 1
    alone = [CheckpointRecogniser(MadeModel(say)).transcribe([each])[0] for each in clips]
    assert together == [alone[0], "", *alone[1:]]


def test_a_batch_gives_the_transcripts_of_single_waves(tmp_path: Path, whisper: str) -> None:
    waves = [resample(clip(number), SAMPLE_RATE, RATE) for number in range(6)]
    ctc = open_ctc(str(make_tiny_ctc(tmp_path / "ctc", waves[1], "three seven")), None)
    assert ctc.batch > 1
    assert texts(ctc, waves) == [texts(ctc, [wave])[0] for wave in waves]
    assert len(set(texts(ctc, waves))) > 1
    asked = open_recogniser(whisper, [], "en")
    assert asked is not None
    clips = [clip(number) for number in range(6)]
    assert asked.transcribe(clips) == [asked.transcribe([each])[0] for each in clips]


def test_a_model_without_attention_mask_runs_one_wave_at_a_time(tmp_path: Path) -> None:
    wave = resample(clip(1), SAMPLE_RATE, RATE)
    folder = make_tiny_ctc(tmp_path / "ctc", wave, "three seven")
    described = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps({**described, "return_attention_mask": False}))
    ctc = open_ctc(str(folder), None)
    assert ctc.batch == 1
    longer = np.concatenate([wave, wave])
    assert texts(ctc, [longer, wave])[1] == "three seven"


def test_a_ctc_checkpoint_transcribes_what_it_has_learned(tmp_path: Path) -> None:
    wave = resample(clip(1), SAMPLE_RATE, RATE)
    ctc = open_ctc(str(make_tiny_ctc(tmp_path / "ctc", wave, "three  bees don't")), None)
    assert texts(ctc, [wave, wave]) == ["three  bees don't"] * 2
    assert texts(ctc, [wave[::-1].copy()]) != ["three  bees don't"]


@pytest.mark.parametrize(("language", "said"), [("eng", "three seven"), ("nob", "sju å tre")])
def test_an_mms_transcribes_in_the_given_language(mms: str, language: str, said: str) -> None:
    wave = resample(clip(1), SAMPLE_RATE, RATE)
    assert texts(open_ctc(mms, language), [wave]) == [said]
    recogniser = open_recogniser(mms, [], language)
    assert recogniser is not None
    assert recogniser.transcribe([clip(1)]) != [""]
    assert recogniser.transcribe(NO_SPEECH) == [""] * len(NO_SPEECH)


def test_no_recogniser_by_name() -> None:
    assert open_recogniser("none", ["one"], "no") is None


def other_model(folder: Path) -> str:
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen3_tts", "architectures": ["Talker"]}))
    return str(folder)


def headless(folder: Path) -> str:
    (folder / "config.json").write_text(json.dumps({"model_type": "wav2vec2", "architectures": ["Wav2Vec2Model"]}))
    return str(folder)


def mms_of_two(folder: Path) -> str:
    described = {"model_type": "wav2vec2", "architectures": ["Wav2Vec2ForCTC"], "adapter_attn_dim": 16}
    (folder / "config.json").write_text(json.dumps(described))
    (folder / "vocab.json").write_text(json.dumps({"eng": {"a": 0}, "nob": {"a": 0}}))
    return str(folder)


REFUSED = [
    (lambda _: "whisperer", "auto", "pocketsphinx or none"),
    (lambda _: "pocketsphynx", "auto", "did you mean pocketsphinx"),
    (lambda _: "None", "auto", "did you mean none"),
    (lambda _: "", "auto", "pocketsphinx or none"),
    (lambda _: "pocketsphinx", "no", "expected language en"),
    (lambda _: "a/b/c", "auto", "not a hub id"),
    (lambda _: "whisper:openai/whisper-tiny", "auto", "not a hub id"),
    (lambda _: "nobody/nothing", "auto", "hub cannot be reached"),
    (str, "auto", "no readable config.json"),
    (other_model, "auto", "expected a Whisper or a checkpoint with a CTC head, got model_type qwen3_tts"),
    (headless, "auto", "Wav2Vec2Model"),
    (lambda folder: str(make_tiny_whisper(folder)), "klingon", "expected one of de, en, no"),
    (lambda folder: str(make_tiny_whisper(folder, multilingual=False)), "no", "knows English only"),
    (mms_of_two, "auto", "such as eng, nob"),
    (mms_of_two, "nop", "such as nob"),
]


@pytest.mark.parametrize(("prepare", "language", "message"), REFUSED, ids=[case[2] for case in REFUSED])
def test_an_unusable_recogniser_is_refused_with_a_message(
    prepare, language: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    name = prepare(tmp_path)
    with pytest.raises(InputError, match=message):
        check_recogniser(name, language)
    with pytest.raises(InputError, match=message):
        open_recogniser(name, ["one"], language)


def test_a_usable_recogniser_is_checked_without_its_weights(whisper: str, mms: str, tmp_path: Path) -> None:
    for name, language in (("none", "no"), ("pocketsphinx", "English"), (whisper, "no"), (whisper, "auto")):
        check_recogniser(name, language)
    check_recogniser(mms, "nob")
    check_recogniser(mms_of_two(tmp_path), "eng")
    with pytest.raises(InputError, match="cannot be loaded"):
        open_recogniser(str(tmp_path), [], "eng")


def test_unreadable_weights_are_refused_with_a_message(tmp_path: Path) -> None:
    make_tiny_whisper(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be loaded"):
        open_checkpoint(str(tmp_path), None)
