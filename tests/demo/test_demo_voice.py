"""The shipped demo checkpoint loads like a published one, speaks and stops; the demo voice is new to it."""

import json

import numpy as np
import pytest
import soundfile as sf
import torch
from qwen_tts import Qwen3TTSModel

from demo.corpus import DIGITS, is_held_out
from demo.measure import words_heard
from tests.support.paths import DEMO
from trainable.probe.texts.lines import load_lines
from trainable.qwen3_tts import mel_codec
from trainable.speech.asr.pocket_sphinx import PocketSphinx

PUBLISHED = {
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    "preprocessor_config.json",
    "speech_tokenizer/config.json",
    "speech_tokenizer/model.safetensors",
    "speech_tokenizer/preprocessor_config.json",
}
MAX_NEW_TOKENS = 96


@pytest.fixture(scope="module")
def voice() -> Qwen3TTSModel:
    mel_codec.register()
    return Qwen3TTSModel.from_pretrained(str(DEMO / "checkpoint"), attn_implementation="sdpa", dtype=torch.float32)


@pytest.fixture(scope="module")
def reference() -> tuple[tuple[np.ndarray, int], str]:
    wave, rate = sf.read(DEMO / "voice" / "ref.wav", dtype="float32")
    return (wave, rate), (DEMO / "voice" / "ref_text.txt").read_text().strip()


def dataset() -> list[dict[str, str]]:
    return [json.loads(line) for line in (DEMO / "voice" / "metadata.jsonl").read_text().splitlines()]


def probe_lines() -> list[str]:
    return [line.text for line in load_lines("digits")]


def speak(voice: Qwen3TTSModel, reference, texts: list[str], x_vector: bool) -> list[np.ndarray]:
    audio, transcript = reference
    prompt = voice.create_voice_clone_prompt(ref_audio=audio, ref_text=transcript, x_vector_only_mode=x_vector)
    torch.manual_seed(0)
    waves, rate = voice.generate_voice_clone(
        text=texts,
        language=["auto"] * len(texts),
        voice_clone_prompt=prompt * len(texts),
        non_streaming_mode=True,
        max_new_tokens=MAX_NEW_TOKENS,
    )
    assert rate == 24_000
    return waves


def test_the_checkpoint_has_the_published_layout_and_is_small():
    files = [path for path in (DEMO / "checkpoint").rglob("*") if path.is_file()]
    assert {path.relative_to(DEMO / "checkpoint").as_posix() for path in files} == PUBLISHED
    assert sum(path.stat().st_size for path in files) < 8_000_000


@pytest.fixture(scope="module")
def spoken(voice, reference) -> dict[str, np.ndarray]:
    """The first four lines, the longest and the shortest, spoken as one batch."""
    by_words = sorted(probe_lines(), key=lambda line: len(line.split()))
    texts = [*probe_lines()[:4], by_words[-1], by_words[0]]
    return dict(zip(texts, speak(voice, reference, texts, x_vector=True), strict=True))


def test_a_batch_speaks_most_words_and_stops(spoken):
    texts = list(spoken)[:4]
    waves = [spoken[text] for text in texts]
    # A row that never ends is cut at the cap, so a shorter one sampled the end of speech.
    assert max(len(wave) for wave in spoken.values()) < (MAX_NEW_TOKENS - 1) * 1920
    recogniser = PocketSphinx(probe_lines())
    assert words_heard(recogniser, texts, waves) > 0.5
    assert words_heard(recogniser, texts[1:] + texts[:1], waves) < 0.5


def test_the_length_of_a_line_fits_its_words(spoken):
    *_, eight_words, one_word = spoken.values()
    assert 0.2 < len(one_word) / 24_000 < 1.2
    assert 2.0 < len(eight_words) / 24_000 < 5.0


def test_it_also_continues_its_reference(voice, reference):
    texts = probe_lines()[:2]
    waves = speak(voice, reference, texts, x_vector=False)
    assert max(len(wave) for wave in waves) < (MAX_NEW_TOKENS - 1) * 1920
    assert words_heard(PocketSphinx(probe_lines()), texts, waves) > 0.5


def test_the_voice_dataset_is_complete():
    items = dataset()
    assert len(items) == 48
    assert len({item["text"] for item in items}) == 48
    assert {len(item["text"].split()) for item in items} == set(range(1, 9))
    for item in items:
        info = sf.info(DEMO / "voice" / item["audio_filepath"])
        assert (info.samplerate, info.channels, info.subtype) == (24_000, 1, "PCM_16")
        assert 0.15 < info.duration / len(item["text"].split()) < 1.0
        assert set(item["text"].split()) <= set(DIGITS)


def test_the_reference_is_not_one_of_the_clips(reference):
    (wave, rate), transcript = reference
    assert rate == 24_000
    assert len(wave) / rate > 2
    assert transcript not in {item["text"] for item in dataset()}


def test_probe_lines_are_new_to_dataset_and_base():
    lines = probe_lines()
    trained = {item["text"] for item in dataset()}
    assert len(lines) == len(set(lines)) == 20
    assert not trained & set(lines)
    assert all(4 <= len(line.split()) <= 6 for line in lines[:4])
    # Not all strings of one and two words can be held out from pre-training; of longer ones a hash holds out a tenth.
    assert all(is_held_out(line) for line in lines if len(line.split()) >= 3)
    assert not any(is_held_out(text) for text in trained)
