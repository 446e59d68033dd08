"""`python -m trainable.inspect`: what is in a model and what LoRA would train, told without reading a weight."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spaces.draw import TARGETS
from tests.crafted import draw
from trainable.qwen3_tts.inventory import inventory, reach, text_projection_numbers
from trainable.qwen3_tts.load import load_base
from trainable.qwen3_tts.lora import adapter_tensors, attach

DEMO = Path(__file__).parent.parent / "demo" / "checkpoint"


def inspect(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trainable.inspect", *arguments]
    return subprocess.run(command, cwd=DEMO.parent.parent, capture_output=True, text=True)


@pytest.mark.parametrize("targets", TARGETS)
def test_what_is_told_is_what_peft_trains(targets: str) -> None:
    weights = inventory(str(DEMO))
    tensors = adapter_tensors(attach(load_base(str(DEMO)).model.talker, draw(targets=targets, rank=4), seed=1))
    trained = sum(tensor.numel() for tensor in tensors.values())
    assert reach(weights, TARGETS[targets]).numbers(4) + text_projection_numbers(weights) == trained


def test_every_number_of_the_model_is_counted() -> None:
    model = load_base(str(DEMO)).model
    counted = sum(weight.numbers for weight in inventory(str(DEMO)) if not weight.name.startswith("speech_tokenizer."))
    assert counted == sum(parameter.numel() for parameter in model.parameters())
    files = [*DEMO.glob("*.safetensors"), *DEMO.glob("speech_tokenizer/*.safetensors")]
    held = sum(weight.size for weight in inventory(str(DEMO)))
    assert held < sum(path.stat().st_size for path in files) < 1.05 * held


def test_the_tables_and_the_object_say_the_same() -> None:
    told, content = inspect(str(DEMO)), json.loads(inspect(str(DEMO), "--json", "--targets", r"model\..*q_proj").stdout)
    assert told.returncode == 0 and told.stderr == ""
    assert f"{content['numbers'] / 1e6:.2f} M" in told.stdout
    for name in TARGETS:
        row = next(line for line in told.stdout.splitlines() if line.strip().startswith(f"{name} "))
        assert f"{content['targets'][name]['trained']['32'] / 1e6:.2f} M" in row
    assert all(module.endswith("q_proj") for module in content["targets"][r"model\..*q_proj"]["modules"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((str(DEMO), "--targets", "nothing"), "match none of the talker's"),
        ((str(DEMO), "--targets", "("), "expected a regular expression"),
        (("no/such-model",), "no/such-model: not a folder here"),
        ((str(DEMO.parent),), "no readable config.json"),
    ],
)
def test_wrong_input_is_told_plainly(arguments: tuple[str, ...], told: str) -> None:
    done = inspect(*arguments)
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr


def test_a_torn_file_is_named(tmp_path: Path) -> None:
    torn = shutil.copytree(DEMO, tmp_path / "model") / "model.safetensors"
    torn.write_bytes(torn.read_bytes()[:1000])
    done = inspect(str(tmp_path / "model"))
    assert done.returncode == 2 and "not readable as safetensors" in done.stderr and "Traceback" not in done.stderr
