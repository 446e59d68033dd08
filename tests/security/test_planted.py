"""Code hidden in the files that a search reads is never run, and the error names the file and the remedy."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from spaces.errors import InputError
from spaces.space import FOLDER, load_space
from tests.support.parquet_voice import audio_bytes
from tests.support.paths import ROOT
from tests.support.tiny_ctc import make_tiny_ctc
from tests.support.tiny_qwen import make_tiny_qwen
from tests.support.tiny_xvector import make_tiny_xvector
from tests.support.voices import make_voice, tone
from trainable.dataset.loading.load import open_dataset
from trainable.dataset.source import Source
from trainable.probe.speaker.encoder import open_speaker_encoder
from trainable.qwen3_tts.checkpoint.load import load_base
from trainable.speech.asr.recogniser import open_recogniser

MARKER = "PLANTED"
CODE = f"import os, pathlib\npathlib.Path(os.environ[{MARKER!r}]).touch()\n"


class Planted:
    """A pickle that runs code when it is read."""

    def __reduce__(self) -> tuple[Callable, tuple]:
        return os.mkdir, (os.environ[MARKER],)


@pytest.fixture(autouse=True)
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that exists once planted code has run."""
    path = tmp_path / "planted code has run"
    monkeypatch.setenv(MARKER, str(path))
    # The prompt whether to run remote code is answered with yes.
    monkeypatch.setattr("builtins.input", lambda *asked: "y")
    return path


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_qwen(tmp_path_factory.mktemp("tiny") / "checkpoint", "0.6b")


def pickled(folder: Path, name: str = "pytorch_model.bin") -> None:
    torch.save({"talker.model.norm.weight": Planted()}, folder / name)


def instead_of_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    pickled(folder)


def as_an_old_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": Planted()}))


def named(folder: Path, file: str, **more: object) -> None:
    """A configuration that refers to Python code beside it."""
    path = folder / file
    classes = {"AutoConfig": "planted.C", "AutoModel": "planted.M", "AutoFeatureExtractor": "planted.F"}
    classes |= {"AutoTokenizer": ["planted.T", None], "AutoProcessor": "planted.P"}
    classes |= {"AutoModelForCTC": "planted.M", "AutoModelForAudioXVector": "planted.M"}
    path.write_text(json.dumps({**json.loads(path.read_text()), "auto_map": classes, **more}))
    (path.parent / "planted.py").write_text(CODE)


@pytest.mark.parametrize(
    ("plant", "refusal"),
    [
        (instead_of_weights, "incomplete checkpoint.*safetensors missing; download it again"),
        (as_an_old_pickle, "incomplete checkpoint.*safetensors missing; download it again"),
        (lambda folder: instead_of_weights(folder / "speech_tokenizer"), "speech_tokenizer/.*safetensors missing"),
        (lambda folder: named(folder, "config.json"), "config.json names code.*published layout"),
        (lambda folder: named(folder, "config.json", model_type="planted"), "expected model_type qwen3_tts"),
        (
            lambda folder: named(folder, "tokenizer_config.json", tokenizer_class="T"),
            "tokenizer_config.json names code",
        ),
        (lambda folder: named(folder, "preprocessor_config.json"), "preprocessor_config.json names code"),
        (
            lambda folder: named(folder, "speech_tokenizer/config.json", model_type="planted"),
            "speech_tokenizer/config.json names code",
        ),
        (
            lambda folder: named(folder, "speech_tokenizer/preprocessor_config.json", feature_extractor_type="F"),
            "speech_tokenizer/preprocessor_config.json names code",
        ),
        (
            lambda folder: (folder / "speech_tokenizer/config.json").write_text('{"model_type": "bark"}'),
            "speech_tokenizer/config.json: expected model_type .*mel_codec, got bark",
        ),
    ],
)
def test_a_model_that_brings_code_is_refused(qwen: Path, tmp_path: Path, marker: Path, plant, refusal: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(qwen, folder)
    plant(folder)
    with pytest.raises(InputError, match=f"model: .*{refusal}"):
        load_base(str(folder))
    assert not marker.exists()


def test_pickles_and_python_beside_the_weights_are_passed_over(qwen: Path, tmp_path: Path, marker: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(qwen, folder)
    for place in (folder, folder / "speech_tokenizer"):
        pickled(place)
        pickled(place, "training_args.bin")
        pickled(place, "optimizer.pt")
        (place / "__init__.py").write_text(CODE)
        (place / "modeling_qwen3_tts.py").write_text(CODE)
    load_base(str(folder))
    assert not marker.exists()


def xvector(folder: Path) -> Path:
    return make_tiny_xvector(folder)


def ctc(folder: Path) -> Path:
    return make_tiny_ctc(folder, tone(1.0)[::3].copy(), "ab")


@pytest.mark.parametrize(
    ("make", "load"),
    [
        (xvector, lambda folder: open_speaker_encoder(str(folder))),
        (ctc, lambda folder: open_recogniser(str(folder), [], "auto")),
    ],
    ids=["x-vectors", "recogniser"],
)
@pytest.mark.parametrize(
    "plant",
    [
        instead_of_weights,
        as_an_old_pickle,
        lambda folder: named(folder, "config.json", model_type="planted"),
        lambda folder: named(folder, "preprocessor_config.json", feature_extractor_type="F"),
    ],
    ids=["pickled weights", "an old pickle", "a class of its own", "an extractor of its own"],
)
def test_a_listener_that_brings_code_is_refused(tmp_path: Path, marker: Path, make, load, plant) -> None:
    folder = make(tmp_path / "listener")
    plant(folder)
    with pytest.raises(InputError, match="listener"):
        load(folder)
    assert not marker.exists()


def scripts(voice: Path) -> None:
    for name in (f"{voice.name}.py", "dataset.py", "__init__.py", "conftest.py", "sitecustomize.py", "setup.py"):
        (voice / name).write_text(CODE)
    (voice / "metadata.py").write_text(CODE)


def pickles(voice: Path) -> None:
    for name in ("metadata.pkl", "dataset_dict.json", "state.json", "data.pt", "cache.npy"):
        (voice / name).write_bytes(pickle.dumps(Planted()))


def typed_rows(voice: Path) -> None:
    """pyarrow before 14.0.1 unpickled such a type (CVE-2023-47248)."""
    told = {"name": b"arrow.py_extension_type", "metadata": pickle.dumps(Planted())}
    field = pa.field("text", pa.string(), metadata={f"ARROW:extension:{key}": each for key, each in told.items()})
    features = {b"huggingface": b'{"info": {"features": {"text": {"_type": "os.system"}}}}'}
    pq.write_table(pa.table({"text": ["a"]}, schema=pa.schema([field], metadata=features)), voice / "a.parquet")


def rows_with_code(voice: Path) -> None:
    line = {
        "audio_filepath": "clip_00.wav",
        "text": "!!python/object/apply:os.system ['true']",
        "__class__": "os.system",
    }
    with (voice / "metadata.jsonl").open("a") as metadata:
        metadata.write(json.dumps(line) + "\n")


@pytest.mark.parametrize("plant", [scripts, pickles, typed_rows, rows_with_code])
@pytest.mark.parametrize("form", ["{}", "hf:{}"], ids=["a folder", "of the hub"])
def test_nothing_in_a_dataset_is_run(tmp_path: Path, marker: Path, plant, form: str) -> None:
    voice = make_voice(tmp_path / "voice")
    (voice / "a.flac").write_bytes(audio_bytes())
    plant(voice)
    open_dataset([Source.parse(form.format(voice))], True, tmp_path / "cache")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("old", "new", "refusal"),
    [
        ('name = "voice"', 'name = "voice"\nfamily = "os"', "family: expected one of qwen3_tts"),
        ('name = "voice"', 'name = "voice"\nfamily = "tests.support.peft_family"', "family: expected one of qwen3_tts"),
        ('name = "voice"', "name = !!python/object:os.system", "not valid TOML"),
        ('name = "voice"', 'name = "voice"\n__class__ = "os.system"', "unknown key __class__"),
    ],
)
def test_a_space_cannot_name_code(tmp_path: Path, old: str, new: str, refusal: str) -> None:
    text = (FOLDER / "voice.toml").read_text()
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=f"mine.toml: .*{refusal}"):
        load_space(str(tmp_path / "mine.toml"))


def test_the_published_names_of_codecs_are_those_that_the_library_registers() -> None:
    """The check must accept the published codecs."""
    from trainable.qwen3_tts.checkpoint.check import CODEC_TYPES

    config = json.loads((ROOT / "demo" / "checkpoint" / "speech_tokenizer" / "config.json").read_text())
    assert config["model_type"] in CODEC_TYPES
    from qwen_tts.core import Qwen3TTSTokenizerV1Config, Qwen3TTSTokenizerV2Config

    assert {Qwen3TTSTokenizerV1Config.model_type, Qwen3TTSTokenizerV2Config.model_type} <= set(CODEC_TYPES)
