"""`python -m trainable.inspect` lists a model's tensors and what LoRA would train, without reading a weight."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spaces.qwen3_tts import TARGETS
from tests.support.made_runs import draw
from tests.support.paths import DEMO
from trainable.qwen3_tts.checkpoint.inventory import inventory, match_targets, text_projection_parameters
from trainable.qwen3_tts.checkpoint.load import load_base
from trainable.qwen3_tts.model.lora import adapter_tensors, attach_lora

CHECKPOINT = DEMO / "checkpoint"


def inspect(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trainable.inspect", *arguments]
    return subprocess.run(command, cwd=CHECKPOINT.parent.parent, capture_output=True, text=True)


@pytest.mark.parametrize("targets", TARGETS)
def test_counts_equal_what_peft_trains(targets: str) -> None:
    stored = inventory(str(CHECKPOINT))
    tensors = adapter_tensors(
        attach_lora(load_base(str(CHECKPOINT)).model.talker, draw(targets=targets, rank=4), seed=1)
    )
    trained = sum(tensor.numel() for tensor in tensors.values())
    assert match_targets(stored, TARGETS[targets]).parameters(4) + text_projection_parameters(stored) == trained


def test_every_parameter_of_the_model_is_counted() -> None:
    model = load_base(str(CHECKPOINT)).model
    counted = sum(
        tensor.numel for tensor in inventory(str(CHECKPOINT)) if not tensor.name.startswith("speech_tokenizer.")
    )
    assert counted == sum(parameter.numel() for parameter in model.parameters())
    files = [*CHECKPOINT.glob("*.safetensors"), *CHECKPOINT.glob("speech_tokenizer/*.safetensors")]
    size = sum(tensor.size for tensor in inventory(str(CHECKPOINT)))
    assert size < sum(path.stat().st_size for path in files) < 1.05 * size


def test_tables_and_json_agree() -> None:
    tables = inspect(str(CHECKPOINT))
    content = json.loads(inspect(str(CHECKPOINT), "--json", "--targets", r"model\..*q_proj").stdout)
    assert tables.returncode == 0 and tables.stderr == ""
    assert f"{content['numbers'] / 1e6:.2f} M" in tables.stdout
    for name in TARGETS:
        row = next(line for line in tables.stdout.splitlines() if line.strip().startswith(f"{name} "))
        assert f"{content['targets'][name]['trained']['32'] / 1e6:.2f} M" in row
    assert all(module.endswith("q_proj") for module in content["targets"][r"model\..*q_proj"]["modules"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((str(CHECKPOINT), "--targets", "nothing"), "match none of the talker's"),
        ((str(CHECKPOINT), "--targets", "("), "expected a regular expression"),
        (("no/such-model",), "no/such-model: not a folder here"),
        ((str(CHECKPOINT.parent),), "no readable config.json"),
    ],
)
def test_wrong_input_is_explained(arguments: tuple[str, ...], message: str) -> None:
    done = inspect(*arguments)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


def test_a_truncated_file_is_reported(tmp_path: Path) -> None:
    truncated = shutil.copytree(CHECKPOINT, tmp_path / "model") / "model.safetensors"
    truncated.write_bytes(truncated.read_bytes()[:1000])
    done = inspect(str(tmp_path / "model"))
    assert done.returncode == 2 and "not readable as safetensors" in done.stderr and "Traceback" not in done.stderr
