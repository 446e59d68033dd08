"""`python -m trainable.inspect`: what is in a model and what LoRA would train, told without reading a weight."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spaces.draw import TARGETS
from tests.support.made_runs import draw
from tests.support.paths import DEMO
from trainable.qwen3_tts.checkpoint.inventory import inventory, reach, text_projection_numbers
from trainable.qwen3_tts.checkpoint.load import load_base
from trainable.qwen3_tts.model.lora import adapter_tensors, attach

CHECKPOINT = DEMO / "checkpoint"


def inspect(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trainable.inspect", *arguments]
    return subprocess.run(command, cwd=CHECKPOINT.parent.parent, capture_output=True, text=True)


@pytest.mark.parametrize("targets", TARGETS)
def test_what_is_told_is_what_peft_trains(targets: str) -> None:
    weights = inventory(str(CHECKPOINT))
    tensors = adapter_tensors(attach(load_base(str(CHECKPOINT)).model.talker, draw(targets=targets, rank=4), seed=1))
    trained = sum(tensor.numel() for tensor in tensors.values())
    assert reach(weights, TARGETS[targets]).numbers(4) + text_projection_numbers(weights) == trained


def test_every_number_of_the_model_is_counted() -> None:
    model = load_base(str(CHECKPOINT)).model
    counted = sum(
        weight.numbers for weight in inventory(str(CHECKPOINT)) if not weight.name.startswith("speech_tokenizer.")
    )
    assert counted == sum(parameter.numel() for parameter in model.parameters())
    files = [*CHECKPOINT.glob("*.safetensors"), *CHECKPOINT.glob("speech_tokenizer/*.safetensors")]
    held = sum(weight.size for weight in inventory(str(CHECKPOINT)))
    assert held < sum(path.stat().st_size for path in files) < 1.05 * held


def test_the_tables_and_the_object_say_the_same() -> None:
    told, content = (
        inspect(str(CHECKPOINT)),
        json.loads(inspect(str(CHECKPOINT), "--json", "--targets", r"model\..*q_proj").stdout),
    )
    assert told.returncode == 0 and told.stderr == ""
    assert f"{content['numbers'] / 1e6:.2f} M" in told.stdout
    for name in TARGETS:
        row = next(line for line in told.stdout.splitlines() if line.strip().startswith(f"{name} "))
        assert f"{content['targets'][name]['trained']['32'] / 1e6:.2f} M" in row
    assert all(module.endswith("q_proj") for module in content["targets"][r"model\..*q_proj"]["modules"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((str(CHECKPOINT), "--targets", "nothing"), "match none of the talker's"),
        ((str(CHECKPOINT), "--targets", "("), "expected a regular expression"),
        (("no/such-model",), "no/such-model: not a folder here"),
        ((str(CHECKPOINT.parent),), "no readable config.json"),
    ],
)
def test_wrong_input_is_told_plainly(arguments: tuple[str, ...], told: str) -> None:
    done = inspect(*arguments)
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr


def test_a_torn_file_is_named(tmp_path: Path) -> None:
    torn = shutil.copytree(CHECKPOINT, tmp_path / "model") / "model.safetensors"
    torn.write_bytes(torn.read_bytes()[:1000])
    done = inspect(str(tmp_path / "model"))
    assert done.returncode == 2 and "not readable as safetensors" in done.stderr and "Traceback" not in done.stderr
