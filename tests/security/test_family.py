"""No command imports a module that a run or an adapter names as its model family, unless it is a registered one."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from results import compare, speak
from results.export import __main__ as export
from results.export.adapter_manifest import MANIFEST, AdapterManifest
from results.report import __main__ as report
from results.run.ledger import Ledger, TrialDrawn, TrialEnded
from results.run.run_folder import RunFolder
from search import run as search_command
from spaces.families import FAMILIES
from spaces.probe_settings import Sampling
from spaces.qwen3_tts import QwenLayout
from spaces.space import load_space
from tests.support import made_runs
from tests.support.toy_run import command
from trainable import inspect
from trainable.speech.tempo import SpeakingRate

CODE = "import os, pathlib\npathlib.Path(os.environ['PLANTED']).touch()\n"
PLANTED = ("planted.py", *(f"planted_package/{name}.py" for name in ("__init__", "family", "check", "size")))
NAMES = (
    "planted",
    "planted_package.family",
    "tests.support.peft_family",
    "trainable.qwen3_tts.checkpoint.load",
    "os",
    "",
)
"""A module beside the run, one in a package, and real modules that are no registered family."""


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that appears where planted code has run. That lies where Python looks first: in the working directory,
    which is the run's folder."""
    for name in PLANTED:
        path = tmp_path / "run" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CODE)
    monkeypatch.chdir(tmp_path / "run")
    monkeypatch.syspath_prepend(tmp_path / "run")
    monkeypatch.setenv("PLANTED", str(tmp_path / "planted code has run"))
    yield tmp_path / "planted code has run"
    for name in [name for name in sys.modules if name.partition(".")[0] in ("planted", "planted_package")]:
        del sys.modules[name]


def planted_run(folder: Path, family: str) -> RunFolder:
    """A run of that family, with a trial t9 of which all is there that an export needs."""
    run = made_runs.write_run(folder / "run")
    begun, *others = run.ledger.read_text().splitlines()
    changed = {**json.loads(begun), "family": family, "model": load_space("demo").model}
    run.ledger.write_text("\n".join([json.dumps(changed), *others, ""]))
    kept = made_runs.outcome("t9", verdict=made_runs.verdict([0.9, 0.9]), checkpoint="checkpoints/kept")
    Ledger(run.ledger).append(TrialDrawn(trial="t9", draw=made_runs.draw()))
    Ledger(run.ledger).append(TrialEnded(outcome=kept))
    for needed in (run.prepared, run.base, run.trial("t9") / "checkpoints" / "kept"):
        needed.mkdir(parents=True)
    run.calibration.write_text("{}")
    return run


def from_storage(run: RunFolder) -> list:
    """The run lies in storage that somebody else may write to, and not here."""
    shutil.copytree(run.path, run.path.parent / "storage")
    return ["--out", run.path.parent / "home", "--resume", "--storage", f"file://{run.path.parent}/storage"]


@pytest.mark.parametrize("name", ["planted", "planted_package.check"])
def test_planted_code_is_found_where_it_is_imported(marker: Path, name: str) -> None:
    importlib.import_module(name)
    assert marker.exists()


@pytest.mark.parametrize("family", NAMES)
@pytest.mark.parametrize(
    ("module", "options"),
    [
        (search_command.run, lambda run: ["--out", run.path, "--resume"]),
        (search_command.run, lambda run: ["--out", run.path, "--resume", "--dry-run"]),
        (search_command.run, from_storage),
        (export.export, lambda run: [run.path, run.path.parent / "out"]),
        (export.export, lambda run: [run.path, run.path.parent / "out", "--trial", "t9", "--merged"]),
    ],
    ids=["--resume", "--resume --dry-run", "--resume --storage", "export", "export --merged"],
)
def test_a_run_of_another_family_is_refused(
    tmp_path: Path, marker: Path, family: str, module: Callable, options: Callable
) -> None:
    run = planted_run(tmp_path, family)
    code, printed = command(module, *options(run))
    assert code == 2, printed
    known = ", ".join(entry.module for entry in FAMILIES.values())
    assert f"ledger.jsonl names {family!r} as its model family; expected one of {known}" in printed
    assert "update Sweetspot" in printed
    assert not marker.exists() and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("module", "options"),
    [
        (compare.compare, lambda run: [run.path]),
        (compare.compare, lambda run: [run.path, "--json"]),
        (report.report, lambda run: [run.path]),
        (search_command.run, lambda run: ["--like", run.path, "--dry-run", "--out", run.path.parent / "new"]),
    ],
    ids=["compare", "compare --json", "report", "--like"],
)
@pytest.mark.parametrize("family", ["planted", "planted_package.family"])
def test_commands_that_only_read_a_run_import_nothing_of_it(
    tmp_path: Path, marker: Path, family: str, module: Callable, options: Callable
) -> None:
    code, printed = command(module, *options(planted_run(tmp_path, family)))
    assert code == 0, printed
    assert not marker.exists()


@pytest.mark.parametrize("family", NAMES)
def test_an_adapter_of_another_family_is_refused(tmp_path: Path, marker: Path, family: str) -> None:
    adapter = tmp_path / "run"
    written = AdapterManifest(
        trial="t9",
        draw=made_runs.draw(),
        outcome=made_runs.outcome("t9"),
        accepted=True,
        layout=QwenLayout.PEFT,
        family=family,
        base_model="model",
        language="auto",
        seed=1,
        sampling=Sampling(),
        tempo=SpeakingRate(pause=0.2, per_letter=0.06),
        fingerprint="f" * 64,
        licence="unknown",
        sample_text="One two three.",
    )
    (adapter / MANIFEST).write_text(written.model_dump_json())
    code, printed = command(speak.speak, adapter, "hello", tmp_path / "out.wav")
    assert code == 2, printed
    assert f"{MANIFEST} names {family!r} as its model family; expected one of" in printed
    code, printed = command(inspect.inspect, adapter)
    assert code == 2, printed
    assert not marker.exists() and not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize(
    ("section", "field", "where"), [("draw", "rank", "rank"), ("budget", "trials", "budget.trials")]
)
def test_a_run_with_an_unreadable_space_is_not_resumed(tmp_path: Path, section: str, field: str, where: str) -> None:
    run = planted_run(tmp_path, FAMILIES["qwen3_tts"].module)
    begun, *others = run.ledger.read_text().splitlines()
    changed = json.loads(begun)
    changed["space"][section][field] = "many"
    run.ledger.write_text("\n".join([json.dumps(changed), *others, ""]))
    code, printed = command(search_command.run, "--out", run.path, "--resume")
    assert code == 2, printed
    assert f"this version of Sweetspot cannot search its space ({where}: " in printed
    assert "the version that started it" in printed
