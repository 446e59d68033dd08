"""`python -m trainable.dataset check`: output, files and exit codes."""

from __future__ import annotations

import html.parser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner, Result

import tests.support.toy_family
from spaces.families import FAMILIES
from tests.support.measured_clips import clip, dataset
from tests.support.paths import ROOT
from tests.support.voices import make_voice, tone
from trainable.dataset.__main__ import app
from trainable.dataset.checks.all import check_dataset
from trainable.dataset.checks.command import FAMILY
from trainable.dataset.checks.html import page
from trainable.dataset.checks.report import MAX_SHOWN, DatasetReport, render, summarise
from trainable.files.cache import VARIABLE
from trainable.speech.audio import SAMPLE_RATE

KEYS = {"dataset", "findings"}
HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture
def voice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")
    return make_voice(tmp_path / "voice")


def check(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


def silence(folder: Path) -> None:
    soundfile.write(folder / "clip_02.wav", tone(1.0) * 0, SAMPLE_RATE)


def drop_reference(folder: Path) -> None:
    (folder / "ref.wav").unlink()


@pytest.mark.parametrize(
    ("spoil", "options", "code", "checks"),
    [
        (lambda folder: None, [], 0, set()),
        (silence, [], 1, {"silent"}),
        (lambda folder: (folder / "clip_01.wav").write_bytes(b""), [], 1, {"unreadable"}),
        (drop_reference, [], 1, {"no-reference"}),
        (drop_reference, ["--auto-ref"], 0, set()),
        (lambda folder: (drop_reference(folder), silence(folder)), [], 1, {"no-reference", "silent"}),
        (lambda folder: shutil.rmtree(folder), [], 2, {"format"}),
        (lambda folder: (folder / "metadata.jsonl").unlink(), [], 2, {"format"}),
        (lambda folder: (folder / "metadata.jsonl").write_text(""), [], 1, {"no-clips"}),
    ],
)
def test_exit_codes_and_errors(voice: Path, spoil, options: list[str], code: int, checks: set[str]) -> None:
    spoil(voice)
    result = check(voice, "--json", *options)
    told = json.loads(result.stdout)
    assert set(told) == KEYS
    assert {finding["check"] for finding in told["findings"] if finding["severity"] == "error"} == checks
    assert (result.exit_code, result.stderr) == (code, "")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--loud"],
        ["VOICE", "--page"],
        ["hf:"],
        ["VOICE,weight=-1"],
        ["VOICE", "--page", "VOICE/clip_00.wav/x.html"],
    ],
)
def test_wrong_input_gives_an_error_without_a_traceback(voice: Path, arguments: list[str]) -> None:
    command = [
        sys.executable,
        "-m",
        "trainable.dataset",
        "check",
        *(each.replace("VOICE", str(voice)) for each in arguments),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 2
    assert ended.stdout == "" and ended.stderr and "Traceback" not in ended.stderr


def test_the_output_is_deterministic(voice: Path) -> None:
    assert check(voice, "--json").stdout == check(voice, "--json").stdout


def test_json_has_stable_keys(voice: Path) -> None:
    told = json.loads(check(voice, "--json").stdout)
    assert list(told["dataset"]) == [
        "sources",
        "clips",
        "held_out_by_source",
        "minutes",
        "shortest_seconds",
        "median_seconds",
        "longest_seconds",
        "rates",
        "speakers",
    ]
    assert told["dataset"]["clips"] == 8 and told["dataset"]["rates"] == {"24000": 8}
    assert all(list(each) == ["severity", "check", "where", "message", "clips"] for each in told["findings"])


def test_several_sources_are_one_dataset(voice: Path, tmp_path: Path) -> None:
    told = json.loads(check(voice, make_voice(tmp_path / "other"), "--json").stdout)
    assert told["dataset"]["clips"] == 16
    assert len(told["dataset"]["speakers"]) == 2
    assert "duplicate-audio" in {finding["check"] for finding in told["findings"]}


def test_the_terminal_shows_summary_and_findings(voice: Path) -> None:
    silence(voice)
    lines = check(voice).stdout.splitlines()
    assert lines[1].startswith("clips      8, 0.2 minutes")
    assert "1 error" in lines and any("clip_02.wav is silent" in line for line in lines)
    assert max(map(len, lines)) <= 100


def test_a_terminal_shows_ten_findings_of_a_check_at_most(capsys: pytest.CaptureFixture) -> None:
    from rich.console import Console

    clips = [clip(f"text {'x' * place}", place, codes=((place // 2,) * 16,) * 3) for place in range(50)]
    data = dataset(*clips)
    report = DatasetReport(dataset=summarise(data), findings=tuple(check_dataset(data)))
    assert sum(finding.check == "identical-codes" for finding in report.findings) == 25
    render(report, Console())
    shown = capsys.readouterr().out
    assert shown.count("identical codes") == MAX_SHOWN and "and 15 more" in shown


class Reader(html.parser.HTMLParser):
    """Collects the tags of a page, and the URLs it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attributes if name in ("src", "href", "xlink:href")]


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def test_the_page_is_self_contained(voice: Path, tmp_path: Path) -> None:
    silence(voice)
    target = tmp_path / "deep" / "page.html"
    assert check(voice, "--page", target).exit_code == 1
    text = target.read_text(encoding="utf-8")
    found = read(text)
    assert found.tags.count("svg") == 4 and "script" not in found.tags
    assert all(address.startswith("#") for address in found.loads)
    assert not re.search(r"url\((?!#)|@import", text)
    assert "prefers-color-scheme: dark" in text and "clip_02.wav" in text and "is silent" in text
    assert [path.name for path in target.parent.iterdir()] == ["page.html"]


def test_text_of_a_dataset_is_escaped() -> None:
    clips = [
        clip(f"{HOSTILE} $ {place}", place, audio=Path(f"/x/{HOSTILE}{place}"), speaker=HOSTILE) for place in range(6)
    ]
    data = dataset(*clips, names=(HOSTILE,))
    report = DatasetReport(dataset=summarise(data), findings=tuple(check_dataset(data)))
    assert "script" not in read(page(report, data)).tags


def test_a_page_is_written_for_an_unreadable_dataset(voice: Path, tmp_path: Path) -> None:
    shutil.rmtree(voice)
    check(voice, "--page", tmp_path / "page.html")
    assert "No clip could be read" in (tmp_path / "page.html").read_text()


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(FAMILIES, FAMILY, FAMILIES["toy"])
    return tests.support.toy_family.make_toy_model(tmp_path / "toy")


def test_a_model_prepares_the_clips(voice: Path, toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[int] = []
    own = tests.support.toy_family.prepare

    def watched(plan, *rest):
        print("a library's greeting")
        prepared.append(len(plan.items))
        return own(plan, *rest)

    monkeypatch.setattr(tests.support.toy_family, "prepare", watched)
    result = check(voice, "--model", toy, "--json")
    assert (result.exit_code, prepared) == (0, [8])
    assert set(json.loads(result.stdout)) == KEYS
    silence(voice)
    result = check(voice, "--model", toy, "--json")
    assert (result.exit_code, prepared) == (1, [8])
    assert "correct the errors first" in result.stderr


def test_a_model_of_another_family_is_wrong_input(voice: Path) -> None:
    result = check(voice, "--model", voice)
    assert result.exit_code == 2
    assert "expected a folder of a Qwen3-TTS Base checkpoint" in result.stderr and result.stdout == ""


def test_the_demo_voice_has_no_errors_and_few_warnings(voice: Path) -> None:
    told = json.loads(check(ROOT / "demo" / "voice", "--json").stdout)
    assert sorted((each["severity"], each["check"]) for each in told["findings"]) == [
        ("note", "guide"),
        ("warning", "minutes"),
        ("warning", "reference"),
    ]
