"""Plain PEFT loads an exported adapter and speaks the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from spaces.errors import InputError
from spaces.probe_settings import Sampling
from spaces.qwen3_tts import QwenLayout
from tests.support.qwen_fixtures import Tiny, draw
from trainable.family.export_request import ExportRequest
from trainable.family.protocol import SpeechPrompt
from trainable.qwen3_tts import family
from trainable.qwen3_tts.checkpoint.check import check_model
from trainable.qwen3_tts.generation.speech import speak
from trainable.qwen3_tts.learner import QwenLearner
from trainable.qwen3_tts.model.lora import attach_lora

PROMPT = SpeechPrompt("speak this", seed=3, frame_cap=40)


def request_of(tiny: Tiny, layout: QwenLayout = QwenLayout.PEFT, **given) -> ExportRequest:
    return ExportRequest(layout, str(tiny.folder), str(tiny.folder), "somebody", **given)


@pytest.fixture(params=["linear", "guide"])
def learner(tiny: Tiny, request) -> QwenLearner:
    """An adapter whose weights are all far from their initial values."""
    tts = tiny.fresh()
    made = QwenLearner(tts, tiny.data(), "auto", attach_lora(tts.model.talker, draw(targets=request.param), seed=1))
    torch.manual_seed(2)
    with torch.no_grad():
        for value in made.tensors().values():
            value.add_(0.1 * torch.randn_like(value))
    made.eval()
    return made


def test_plain_peft_speaks_the_same_codes(tiny: Tiny, learner: QwenLearner, tmp_path: Path) -> None:
    [expected] = learner.speak([PROMPT], Sampling())
    family.export(learner, request_of(tiny), tmp_path)

    tts = tiny.fresh()
    [[base]] = speak(tts, tiny.data().speakers[0], "auto", [PROMPT], Sampling())
    PeftModel.from_pretrained(tts.model.talker, str(tmp_path)).eval()
    [[loaded]] = speak(tts, tiny.data().speakers[0], "auto", [PROMPT], Sampling())
    assert (loaded.wave == expected.wave).all() and loaded.frames == expected.frames
    assert base.wave.shape != expected.wave.shape or (base.wave != expected.wave).any()


def test_an_exported_folder_speaks_without_prepared_data(tiny: Tiny, learner: QwenLearner, tmp_path: Path) -> None:
    family.export(learner, request_of(tiny), tmp_path)
    [expected] = learner.speak([PROMPT], Sampling())
    spoken = family.load_exported(tmp_path, None).speak(PROMPT, Sampling())
    assert (spoken.wave == expected.wave).all() and spoken.eos == expected.eos


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"adapter_config\.json"):
        family.load_exported(tmp_path, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "qwen3"}'), "qwen3_tts"),
        (lambda folder: (folder / "generation_config.json").unlink(), "generation_config.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), r"\*\.safetensors"),
        (lambda folder: (folder / "speech_tokenizer" / "model.safetensors").unlink(), "speech_tokenizer"),
    ],
)
def test_an_incomplete_checkpoint_is_refused(tiny: Tiny, tmp_path: Path, change, message: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny.folder, folder)
    assert check_model(str(folder)) == str(folder)
    change(folder)
    with pytest.raises(InputError, match=message):
        check_model(str(folder))


def test_a_hub_id_without_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="hub cannot be reached"):
        check_model("nobody/no-such-model-anywhere")
