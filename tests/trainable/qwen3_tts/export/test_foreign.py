"""Folders that other trainers wrote, and folders that must not be loaded."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from spaces.errors import InputError
from spaces.probe_settings import Sampling
from spaces.qwen3_tts import QwenLayout
from tests.support.exports import in_two_files, request, trained_learner
from tests.support.qwen_fixtures import Tiny, draw
from tests.support.tiny_qwen import make_tiny_qwen
from tests.support.voices import tone
from trainable.family.protocol import SpeechPrompt
from trainable.qwen3_tts import family
from trainable.qwen3_tts.checkpoint.load import load_base
from trainable.speech.audio import write_audio

PROMPT = SpeechPrompt("speak this", seed=3, frame_cap=24)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    folder = make_tiny_qwen(tmp_path_factory.mktemp("tiny") / "1.7b", "1.7b")
    return Tiny(folder, load_base(str(folder)))


def exported(tiny: Tiny, folder: Path, layout: QwenLayout = QwenLayout.PEFT, base: Path | None = None) -> Path:
    folder.mkdir()
    made = trained_learner(base or tiny.folder, tiny, draw(targets="linear"))
    family.export(made, request(base or tiny.folder, layout), folder)
    return folder


def rewrite(path: Path, **changes) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_an_adapter_without_a_voice_takes_that_of_a_recording(tiny: Tiny, tmp_path: Path) -> None:
    folder = exported(tiny, tmp_path / "out")
    (folder / "voice.safetensors").unlink()
    with pytest.raises(InputError, match="--reference"):
        family.load_exported(folder)
    write_audio(tmp_path / "me.wav", tone(2.0))
    given = family.load_exported(folder, reference=tmp_path / "me.wav").speak(PROMPT, Sampling())
    write_audio(folder / "ref_sample.wav", tone(2.0))
    assert np.array_equal(family.load_exported(folder).speak(PROMPT, Sampling()).codes, given.codes)


def test_an_adapter_without_a_base_model_needs_one(tiny: Tiny, tmp_path: Path) -> None:
    folder = exported(tiny, tmp_path / "out")
    said = family.load_exported(folder).speak(PROMPT, Sampling())
    rewrite(folder / "adapter_config.json", base_model_name_or_path=None)
    with pytest.raises(InputError, match="names no base model; give it with --base"):
        family.load_exported(folder)
    assert np.array_equal(family.load_exported(folder, str(tiny.folder)).speak(PROMPT, Sampling()).codes, said.codes)


def test_an_adapter_of_another_size_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    folder = exported(tiny, tmp_path / "out")
    other = make_tiny_qwen(tmp_path / "other", "0.6b")
    with pytest.raises(InputError, match="does not fit .*give the base model"):
        family.load_exported(folder, str(other))


class _Planted:
    def __reduce__(self):
        return os.mkdir, (os.environ["PLANTED"],)


def pickled_projection(folder: Path) -> None:
    torch.save({"linear_fc1.weight": _Planted()}, folder / "text_projection.bin")


def pickled_adapter(folder: Path) -> None:
    (folder / "adapter_model.safetensors").unlink()
    torch.save(
        {"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": _Planted()}, folder / "adapter_model.bin"
    )


def named_code(folder: Path) -> None:
    rewrite(folder / "adapter_config.json", megatron_config={"a": 1}, megatron_core="planted")


def another_kind(folder: Path) -> None:
    rewrite(folder / "adapter_config.json", peft_type="IA3")


def no_json(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{")


def cut_weights(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:100])


def cut_voice(folder: Path) -> None:
    (folder / "voice.safetensors").write_bytes(b"short")


@pytest.mark.parametrize(
    ("damage", "layout", "message"),
    [
        (pickled_projection, QwenLayout.KATHRINE, "nothing of it was used"),
        (pickled_adapter, QwenLayout.PEFT, "pickled weights are not read"),
        (named_code, QwenLayout.PEFT, "names code to import"),
        (another_kind, QwenLayout.PEFT, "expected an adapter of peft_type LORA, got IA3"),
        (no_json, QwenLayout.PEFT, "not readable as JSON"),
        (cut_weights, QwenLayout.PEFT, "not readable as safetensors"),
        (cut_voice, QwenLayout.PEFT, "not readable as a voice"),
    ],
)
def test_what_cannot_be_trusted_is_refused(tiny: Tiny, tmp_path: Path, monkeypatch, damage, layout, message) -> None:
    monkeypatch.setenv("PLANTED", str(tmp_path / "planted"))
    folder = exported(tiny, tmp_path / "out", layout)
    damage(folder)
    with pytest.raises(InputError, match=message):
        family.load_exported(folder)
    assert not (tmp_path / "planted").exists()


def test_an_index_that_leaves_its_folder_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    base = in_two_files(tiny.folder, tmp_path / "base")
    folder = exported(tiny, tmp_path / "out", QwenLayout.MERGED, base)
    index = folder / "model.safetensors.index.json"
    places = json.loads(index.read_text())["weight_map"]
    rewrite(index, weight_map={**places, "talker.codec_head.weight": "../base/model-00001-of-00002.safetensors"})
    with pytest.raises(InputError, match=r"outside its folder, \.\./base"):
        family.load_exported(folder)


def test_a_whole_checkpoint_takes_no_base(tiny: Tiny, tmp_path: Path) -> None:
    folder = exported(tiny, tmp_path / "out", QwenLayout.MERGED)
    with pytest.raises(InputError, match="needs no base model"):
        family.load_exported(folder, str(tiny.folder))
    (folder / "vocab.json").unlink()
    with pytest.raises(InputError, match=r"vocab\.json missing"):
        family.load_exported(folder)


def test_a_custom_voice_takes_no_other_voice(tiny: Tiny, tmp_path: Path) -> None:
    folder = exported(tiny, tmp_path / "out", QwenLayout.CUSTOM_VOICE)
    write_audio(tmp_path / "me.wav", tone(2.0))
    with pytest.raises(InputError, match="by name"):
        family.load_exported(folder, reference=tmp_path / "me.wav")
    config = json.loads((folder / "config.json").read_text())
    rewrite(folder / "config.json", talker_config={**config["talker_config"], "spk_id": {}})
    with pytest.raises(InputError, match="names no speaker"):
        family.load_exported(folder)
