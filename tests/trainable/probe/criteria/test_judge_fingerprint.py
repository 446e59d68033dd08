"""Another constant, criterion, line or voice gives another fingerprint, so that such verdicts are never compared."""

import ast
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from spaces.probe_settings import ProbeSettings
from tests.support.paths import ROOT
from trainable.probe.criteria.calibration import Calibration
from trainable.probe.criteria.criterion import VoiceMeasures
from trainable.probe.criteria.judge_fingerprint import DECIDING, JudgeFingerprint, deciding_constants, fingerprint_judge
from trainable.speech.tempo import SpeakingRate

CALIBRATION = Calibration(
    tempo=SpeakingRate(pause=0.3, per_letter=0.06),
    vocabulary=("a line",),
    reference=(1.0, 0.0),
    similarity_ceiling=0.9,
    spectrum=(0.0,) * 32,
    spectral_floor=2.0,
    similarity_least=0.8,
    own=VoiceMeasures(values={"flatness_db": (-30.0, -31.0)}),
)
NOT_DECIDING = {
    "spaces.": "data types; the settings of a probe are in the fingerprint by themselves",
    "trainable.dataset": "which clips are held out: the lines and the calibration made of them are in the fingerprint",
    "trainable.family": "the protocol",
    "trainable.files": "atomic writes and caches",
    "trainable.stopping": "the band, which decides when training ends",
    "trainable.probe.texts": "the lines are in the fingerprint by themselves",
    "trainable.speech.background": "runs the same recogniser in another process",
    "trainable.speech.audio": "the sampling rate of all waves, which a measure's own constants are in samples of",
    "trainable.speech.segmenting": "how `dataset transcribe` cuts a long recording",
    "trainable.speech.recording_stream": "reads long recordings for `dataset transcribe`",
}


def judge() -> JudgeFingerprint:
    return fingerprint_judge(CALIBRATION, ProbeSettings(lines="english", recogniser="none"), (), (), 1)


def changed(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, dict):
        return {**value, "another": 1}
    if isinstance(value, tuple):
        return (changed(value[0]), *value[1:])
    if isinstance(value, list):
        return [*value, "another"]
    if isinstance(value, (set, frozenset)):
        return value | {"another"}
    if isinstance(value, re.Pattern):
        return re.compile(value.pattern + "x")
    if isinstance(value, range):
        return range(value.start, value.stop + 1)
    return f"{value}x" if isinstance(value, str) else value * 1.01 + 1


@pytest.mark.parametrize("constant", sorted(deciding_constants()))
def test_another_constant_has_another_fingerprint(constant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, _, name = constant.rpartition(".")
    before = judge().fingerprint
    assert judge().fingerprint == before
    monkeypatch.setattr(importlib.import_module(module), name, changed(getattr(importlib.import_module(module), name)))
    assert judge().fingerprint != before


@pytest.mark.parametrize(
    "name",
    [
        "trainable.probe.criteria.criteria_table.MAX_CHARACTER_ERROR",
        "trainable.probe.criteria.judge.HEALTHY_FAILURE_RATE",
        "trainable.probe.criteria.judge.SCREEN_FAILURES",
        "trainable.probe.criteria.judge.EARLY_STOP_LINES",
        "trainable.probe.criteria.judge.MIN_END_PROBABILITY",
        "trainable.probe.criteria.score.QUALITY_SPAN",
        "trainable.probe.criteria.score.SPECTRAL_SPAN",
        "trainable.probe.criteria.score.WEIGHTS",
        "trainable.probe.measures.similarity.SIMILARITY_MARGIN",
        "trainable.speech.text.error_rate.MIN_JUDGED_LETTERS",
        "trainable.speech.text.hallucinations.HALLUCINATED_PHRASES",
        "trainable.speech.tempo.MAX_SHORT_SECONDS",
        "trainable.speech.activity.ABOVE_FLOOR",
        "trainable.speech.vad.MIN_SPEECH_MS",
        "spaces.records.interval.Z95",
    ],
)
def test_constants_that_decide_are_found(name: str) -> None:
    assert name in deciding_constants()


def test_every_module_that_a_verdict_comes_from_is_searched_or_named_here() -> None:
    needed = imported_from([path for name in DECIDING for path in files_of(name)])
    assignment = re.compile(r"^[A-Z][A-Z_0-9]*(, [A-Z_0-9]+)*(: .*)? = ", re.MULTILINE)
    with_constants = {name for name in needed if assignment.search(source(name))}
    missed = {name for name in with_constants if not name.startswith((*DECIDING, *NOT_DECIDING))}
    assert not missed


def test_constants_do_not_depend_on_the_machine() -> None:
    assert str(ROOT) not in str(deciding_constants())


def test_it_is_read_as_it_was_written_and_an_older_one_is_passed_over(tmp_path: Path) -> None:
    judge().write(tmp_path)
    assert JudgeFingerprint.read(tmp_path) == judge()
    (tmp_path / "judge.json").write_text('{"fingerprint": "", "yardsticks": []}')
    assert JudgeFingerprint.read(tmp_path) is None


def files_of(name: str) -> list[Path]:
    module = (ROOT / name.replace(".", "/")).with_suffix(".py")
    return [module] if module.is_file() else sorted(module.with_suffix("").glob("*.py"))


def source(name: str) -> str:
    return files_of(name)[0].read_text(encoding="utf-8")


def imported_from(files: list[Path]) -> set[str]:
    """The project's modules that these files import, and those that they import in turn."""
    found: set[str] = set()
    while files:
        tree = ast.parse(files.pop().read_text(encoding="utf-8"))
        names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        new = {name for name in names if name.startswith(("trainable.", "spaces."))} - found
        found |= new
        files += [files_of(name)[0] for name in new]
    return found
