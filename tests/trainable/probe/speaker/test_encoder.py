"""Speaker encoders apart from the speaking model: embeddings, and refusals."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForAudioXVector

from spaces.errors import InputError
from tests.support.corruptions import demo_clips
from tests.support.paths import ROOT
from tests.support.tiny_ctc import make_tiny_ctc
from tests.support.tiny_xvector import KINDS, make_tiny_xvector
from trainable.probe.speaker.encoder import INSTALL, check_speaker_encoder, default_encoder, open_speaker_encoder
from trainable.qwen3_tts.data.speaker_embeddings import QwenSpeakerEncoder
from trainable.speech.audio import SAMPLE_RATE, resample

DEMO_CHECKPOINT = ROOT / "demo" / "checkpoint"
WAVE = np.concatenate([wave for wave, _ in demo_clips()[:3]])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("safe", [True, False])
def test_an_xvector_is_what_transformers_makes_of_the_normalised_wave(kind: str, safe: bool, tmp_path: Path) -> None:
    folder = make_tiny_xvector(tmp_path / "checkpoint", kind, safe=safe)
    embedding = open_speaker_encoder(str(folder)).embed(WAVE)
    heard = resample(WAVE, SAMPLE_RATE, 16_000)
    normal = torch.from_numpy((heard - heard.mean()) / np.sqrt(heard.var() + 1e-7))
    with torch.inference_mode():
        expected = AutoModelForAudioXVector.from_pretrained(folder).eval()(normal[None]).embeddings[0].numpy()
    assert (embedding.dtype, embedding.shape) == (np.float32, (24,))
    np.testing.assert_allclose(embedding, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seconds", [0.001, 0.1, 0.3])
def test_audio_shorter_than_the_head_is_repeated(seconds: float, tmp_path: Path) -> None:
    encoder = open_speaker_encoder(str(make_tiny_xvector(tmp_path)))
    assert np.isfinite(encoder.embed(WAVE[SAMPLE_RATE : SAMPLE_RATE + int(seconds * SAMPLE_RATE)])).all()


def test_equal_audio_gives_equal_embeddings_and_other_audio_others(tmp_path: Path) -> None:
    encoder = open_speaker_encoder(str(make_tiny_xvector(tmp_path)))
    first = encoder.embed(WAVE)
    assert np.array_equal(first, encoder.embed(WAVE.copy())) and not np.allclose(first, encoder.embed(WAVE[::-1]))


def without(folder: Path, weight: str) -> None:
    path = folder / "model.safetensors"
    save_file({name: each for name, each in load_file(path).items() if name != weight}, path, {"format": "pt"})


@pytest.mark.parametrize("weight", ["projector.weight", "tdnn.2.kernel.weight", "feature_extractor.bias"])
def test_a_missing_weight_is_refused(weight: str, tmp_path: Path) -> None:
    folder = make_tiny_xvector(tmp_path)
    without(folder, weight)
    with pytest.raises(InputError, match=f"1 weights are missing, {weight} among them"):
        open_speaker_encoder(str(folder))


@pytest.mark.parametrize("weight", ["objective.weight", "classifier.bias"])
def test_weights_that_only_training_needs_may_be_missing(weight: str, tmp_path: Path) -> None:
    folder = make_tiny_xvector(tmp_path)
    before = open_speaker_encoder(str(folder)).embed(WAVE)
    without(folder, weight)
    # Two loads of one model may round differently.
    np.testing.assert_allclose(open_speaker_encoder(str(folder)).embed(WAVE), before, rtol=1e-3, atol=1e-10)


class Harmful:
    """Code that a checkpoint would run when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable, tuple]:
        return os.mkdir, (str(self.trace),)


def test_nothing_in_a_checkpoint_is_executed(tmp_path: Path) -> None:
    folder = make_tiny_xvector(tmp_path / "checkpoint", safe=False)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"projector.weight": Harmful(tmp_path / "trace")}))
    with pytest.raises(InputError, match="cannot be loaded"):
        open_speaker_encoder(str(folder))
    assert not (tmp_path / "trace").exists()


def test_a_qwen_checkpoint_gives_its_own_speaker_embedding() -> None:
    expected = QwenSpeakerEncoder(DEMO_CHECKPOINT, torch.device("cpu")).embed(WAVE).numpy()
    assert np.array_equal(open_speaker_encoder(str(DEMO_CHECKPOINT)).embed(WAVE), expected)


def test_a_qwen_checkpoint_without_a_speaker_encoder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((DEMO_CHECKPOINT / "config.json").read_bytes())
    with pytest.raises(InputError, match="use a base model's folder"):
        open_speaker_encoder(str(tmp_path))


def test_resemblyzer_embeds_if_installed_and_else_names_the_command_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if default_encoder() is not None:
        embedding = open_speaker_encoder("resemblyzer").embed(WAVE)
        assert embedding.dtype == np.float32 and np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)
        quiet = open_speaker_encoder("resemblyzer").embed(WAVE / 100)
        assert quiet @ embedding == pytest.approx(1, abs=1e-3)
    monkeypatch.setattr("trainable.probe.speaker.encoder.find_spec", lambda name: None)
    assert default_encoder() is None
    with pytest.raises(InputError, match="not installed; pip install") as caught:
        check_speaker_encoder("resemblyzer")
    assert INSTALL in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resemblizer", "did you mean resemblyzer?"),
        ("", "expected resemblyzer, an x-vector checkpoint"),
        ("ecapa", "expected resemblyzer, an x-vector checkpoint"),
        ("somebody/nowhere", "somebody/nowhere"),
    ],
)
def test_an_unknown_name_is_refused(name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError) as caught:
        check_speaker_encoder(name)
    assert message in str(caught.value)


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    heard = resample(WAVE[: 3 * SAMPLE_RATE], SAMPLE_RATE, 16_000)
    with pytest.raises(InputError, match="expected an architecture that ends in ForXVector"):
        check_speaker_encoder(str(make_tiny_ctc(tmp_path / "ctc", heard, "one two")))
    with pytest.raises(InputError, match="config.json"):
        check_speaker_encoder(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["WavLMForXVector"], "model_type": "wavlm"}))
    with pytest.raises(InputError, match="cannot be loaded"):
        open_speaker_encoder(str(tmp_path))
