"""The demo voice in every layout: exported by the command, verified in a fresh process, and spoken."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import soundfile
import torch

from results import speak
from results.export import __main__ as export
from results.export.adapter_manifest import read_manifest
from results.run.ledger import BaseProbed, Ledger, SearchStarted
from results.run.run_folder import RunFolder
from spaces.data_settings import DataSettings
from spaces.probe_settings import ProbeSettings
from spaces.qwen3_tts import QwenDraw
from spaces.records.trial import Ending
from spaces.space import load_space
from tests.support import made_runs
from tests.support.exports import stored_as
from tests.support.paths import DEMO
from tests.support.toy_run import command, end
from trainable.dataset.encoding_plan import plan_encoding
from trainable.dataset.loading.load import load_dataset
from trainable.dataset.source import Source
from trainable.family.protocol import SeatState
from trainable.files.cache import cache_folder
from trainable.probe.criteria.calibration import calibrate
from trainable.qwen3_tts import family
from trainable.training.checkpoint import CheckpointState, write_checkpoint

PROBE = ProbeSettings(lines="digits", recogniser="none", sampling=load_space("demo").probe.sampling)
DRAW = QwenDraw(
    objective="aligned", rank=4, alpha_ratio=2, lora_lr=1e-3, text_projection_lr=1e-4, epochs=4, targets="linear"
)


@pytest.fixture(scope="module")
def run_of(tmp_path_factory) -> Callable[[torch.dtype], RunFolder]:
    return cache(lambda dtype: make_run(tmp_path_factory.mktemp("demo"), dtype))


def some_clips(folder: Path) -> Path:
    """A quarter of the demo voice."""
    clips = (DEMO / "voice" / "metadata.jsonl").read_text().splitlines(keepends=True)[:12]
    folder.mkdir()
    (folder / "metadata.jsonl").write_text("".join(clips))
    for name in ("ref.wav", "ref_text.txt", *(json.loads(clip)["audio_filepath"] for clip in clips)):
        shutil.copy(DEMO / "voice" / name, folder)
    return folder


def make_run(folder: Path, dtype: torch.dtype) -> RunFolder:
    """An accepted trial on the demo's model, stored in that type: its own clone of the voice, moved a little."""
    model = stored_as(DEMO / "checkpoint", folder / "model", dtype)
    made = RunFolder(folder / "run")
    source = Source.parse(str(some_clips(folder / "voice")))
    dataset = load_dataset([source], False, cache_folder())
    plan = plan_encoding(dataset, DataSettings(), seed=1)
    family.prepare(plan, str(model), made.prepared, cache_folder(), lambda done, of: None)
    learner = family.build(str(model), made.prepared, "auto", DRAW, 1)
    learner.eval()
    calibrate(learner, PROBE, learner.ground_truth)[0].write(made.calibration)
    torch.manual_seed(5)
    weights = {
        name: value.detach() + 0.01 * torch.randn_like(value) * ("lora_A" not in name)
        for name, value in learner.tensors().items()
    }
    state = CheckpointState(draw=DRAW, seed=1, point=made_runs.point(24), window=(), ending=Ending.IN_BAND)
    kept = write_checkpoint(made.trial("t1") / "checkpoints", state, SeatState(weights, {}, 24))
    started = made_runs.started("trainable.qwen3_tts.family", str(model)).model_dump()
    started |= {"data": (str(source),), "fingerprint": dataset.fingerprint()}
    started["space"]["probe"] = PROBE.model_dump(mode="json")
    Ledger(made.ledger).append(SearchStarted(**started))
    Ledger(made.ledger).append(BaseProbed(outcome=made_runs.base([0.5, 0.5])))
    heard = made_runs.verdict([0.9, 0.9]).model_copy(
        update={"lines": (made_runs.line("one two three", 0.9), made_runs.line("nine", 0.9))}
    )
    checkpoint = str(kept.folder.relative_to(made.trial("t1")))
    end(made, made_runs.outcome("t1", verdict=heard, drawn=DRAW, checkpoint=checkpoint))
    return made


@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        (torch.float32, []),
        (torch.float32, ["--layout", "alexandria"]),
        (torch.float32, ["--layout", "kathrine"]),
        (torch.float32, ["--layout", "custom_voice"]),
        (torch.bfloat16, ["--merged"]),
    ],
)
def test_every_layout_is_exported_and_speaks(run_of, dtype, tmp_path, options) -> None:
    run, out = run_of(dtype), tmp_path / "out"
    code, printed = command(export.export, run.path, out, *options)
    assert code == 0, printed
    exported = read_manifest(out)
    assert exported.accepted and exported.layout in ("peft", "merged", *options)
    if exported.export_layout.is_whole:
        assert exported.merged.difference <= exported.merged.tolerance and exported.merged.verdict.accepted
    code, printed = command(speak.speak, out, "one two three", tmp_path / "said.wav", "--seed", 1)
    assert (code, "ended its sentence by itself" in printed) == (0, True), printed
    said, rate = soundfile.read(tmp_path / "said.wav")
    assert rate == 24_000
    # The same text and seed as the sample that the fresh process spoke.
    assert (out / "sample.wav").read_bytes() == (tmp_path / "said.wav").read_bytes()
    assert 0.5 < len(said) / rate < 3
    if exported.layout == "alexandria":
        meta = json.loads((out / "training_meta.json").read_text(encoding="utf-8"))
        assert meta["ref_sample_text"] == (DEMO / "voice" / "ref_text.txt").read_text(encoding="utf-8").strip()
