"""The demo's codec: exact lengths, determinism, registration and intelligible speech."""

import json

import numpy as np
import pytest
import soundfile as sf
import torch
from qwen_tts import Qwen3TTSTokenizer
from transformers import AutoConfig, AutoModel

from demo.measure import words_heard
from tests.support.paths import DEMO
from trainable.qwen3_tts import mel_codec
from trainable.qwen3_tts.mel_codec import MelCodecConfig, MelCodecModel
from trainable.speech.asr.pocket_sphinx import PocketSphinx

WEIGHTS = DEMO / "checkpoint" / "speech_tokenizer"
RATE = 24_000


@pytest.fixture(scope="module")
def codec() -> MelCodecModel:
    return MelCodecModel.from_pretrained(WEIGHTS)


@pytest.fixture(scope="module")
def reference() -> np.ndarray:
    return sf.read(DEMO / "voice" / "ref.wav", dtype="float32")[0]


def codes_of(codec: MelCodecModel, wave: np.ndarray) -> torch.Tensor:
    return codec.encode(torch.from_numpy(wave)[None]).audio_codes[0]


def wave_of(codec: MelCodecModel, codes: torch.Tensor) -> torch.Tensor:
    return codec.decode(codes[None]).audio_values[0]


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (1919, 1), (1920, 1), (1921, 2), (48_000, 25)])
def test_frames_are_the_samples_rounded_up(codec, reference, samples, frames):
    codes = codes_of(codec, reference[:samples])
    assert codes.shape == (frames, 16)
    assert codes.dtype == torch.int64
    assert len(wave_of(codec, codes)) == frames * 1920


def test_neighbours_in_a_batch_change_nothing(codec, reference):
    short, long = torch.from_numpy(reference[:20_000]), torch.from_numpy(reference[:40_000])
    padded = torch.nn.functional.pad(short, (0, 20_000))
    mask = torch.ones(2, 40_000, dtype=torch.long)
    mask[0, 20_000:] = 0
    both = codec.encode(torch.stack([padded, long]), mask).audio_codes
    assert torch.equal(both[0], codes_of(codec, short.numpy()))
    assert torch.equal(both[1], codes_of(codec, long.numpy()))
    filled = torch.nn.utils.rnn.pad_sequence(both, batch_first=True, padding_value=-1)
    decoded = codec.decode(filled).audio_values
    assert torch.equal(decoded[0], wave_of(codec, both[0]))
    assert torch.equal(decoded[1], wave_of(codec, both[1]))


def test_decoding_ignores_the_global_seed(codec, reference):
    codes = codes_of(codec, reference)
    torch.manual_seed(1)
    first = wave_of(codec, codes)
    torch.manual_seed(2)
    assert torch.equal(first, wave_of(codec, codes))


def test_later_codebooks_bring_the_spectrum_closer(codec, reference):
    mel = codec.log_mel(torch.from_numpy(reference))
    codes = codec.quantise(mel)
    errors = []
    for kept in (1, 4, 16):
        coarse = codes.clone()
        coarse[:, kept:] = 0
        errors.append(float((codec.dequantise(coarse) - mel).pow(2).mean()))
    assert errors[0] > errors[1] > errors[2]


def test_the_new_voice_stays_intelligible_through_the_codec(codec):
    items = [json.loads(line) for line in (DEMO / "voice" / "metadata.jsonl").read_text().splitlines()]
    recogniser = PocketSphinx([item["text"] for item in items])
    items = items[:16]
    texts = [item["text"] for item in items]
    waves = [sf.read(DEMO / "voice" / item["audio_filepath"], dtype="float32")[0] for item in items]
    decoded = [wave_of(codec, codes_of(codec, wave)).numpy() for wave in waves]
    assert words_heard(recogniser, texts, decoded) >= 0.8
    assert words_heard(recogniser, texts, [wave[::-1].copy() for wave in decoded]) < 0.5


def test_registering_twice_is_harmless():
    mel_codec.register()
    mel_codec.register()
    assert isinstance(AutoConfig.from_pretrained(WEIGHTS), MelCodecConfig)
    assert isinstance(AutoModel.from_pretrained(WEIGHTS), MelCodecModel)


def test_a_low_precision_load_keeps_the_codes(codec, reference):
    mel_codec.register()
    low = AutoModel.from_pretrained(WEIGHTS, dtype=torch.bfloat16)
    assert torch.equal(codes_of(low, reference), codes_of(codec, reference))


def test_the_library_loads_it_as_its_own(reference):
    mel_codec.register()
    tokenizer = Qwen3TTSTokenizer.from_pretrained(WEIGHTS)
    assert tokenizer.get_model_type() == "qwen3_tts_tokenizer_12hz"
    assert tokenizer.config.model_type == "mel_codec"
    waves, rate = tokenizer.decode(tokenizer.encode(reference, sr=RATE))
    assert rate == RATE
    assert len(waves[0]) == -(-len(reference) // 1920) * 1920


def test_wrong_codes_are_refused(codec):
    with pytest.raises(ValueError, match=r"expected codes \[frames, 16\]"):
        codec.dequantise(torch.zeros(3, 15, dtype=torch.long))
    with pytest.raises(ValueError, match=r"expected codes 0\.\.255"):
        codec.dequantise(torch.full((3, 16), 256))
    with pytest.raises(ValueError, match="at least one sample"):
        codec.log_mel(torch.zeros(0))
