import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from results.report.__main__ import report
from results.report.page import featured_trials, write_report
from results.run.ledger import Ledger, VotesGiven, read_ledger
from results.run.vote import Preference, Vote
from spaces.errors import InputError
from spaces.records.trial import BASE, Ending
from tests.support import heard_run, made_runs

HOSTILE = (
    "<script>document.title = 'ran'</script>",
    "<img src=x onerror=\"document.title='ran'\">",
    "\"'><b>quoted</b> & 'more' {{ 7 * 7 }} ${7}",
    "</script><!-- <script>",
    "שלום \u202eעולם\u202c مرحبا",
    "well 🙂🇳🇴 done 👩‍👩‍👧",
)


class Page(HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self._stack: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._stack.append(tag)

    def handle_endtag(self, tag):
        if tag in self._stack:
            while self._stack.pop() != tag:
                pass

    def handle_data(self, data):
        if self._stack and self._stack[-1] not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def addresses(self) -> list[str]:
        named = [attrs.get(name) for _, attrs in self.tags for name in ("src", "href")]
        return [address for address in named if address and not address.startswith("#")]

    def with_class(self, name: str) -> list[dict]:
        return [attrs for _, attrs in self.tags if name in (attrs.get("class") or "").split()]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SWEETSPOT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def run(tmp_path):
    return heard_run.write_heard_run(tmp_path)


def test_all_files_of_a_page_lie_beside_it_and_nothing_is_fetched(run):
    page = write_report(run)
    content = Page(page)
    addresses = content.addresses()
    assert len(addresses) > 40
    assert all((page.parent / unquote(address)).is_file() for address in addresses)
    assert not re.search(r"\b(src|href)=[\"']?(https?:|//|/)", page.read_text())
    assert "fetch(" not in page.read_text() and "import(" not in page.read_text()


def test_finalists_are_shown_beside_the_base_model_and_the_speaker_line_by_line(run):
    content = Page(write_report(run))
    voices = [attrs["data-voice"] for attrs in content.with_class("play")]
    # The reference, then 4 lines: two texts are transcripts of clips, and one of them is spoken twice.
    said = ["recording", "base", "t2", "t1"]
    assert voices[:16] == ["reference", *said, *said, *said, "base", "t2", "t1"]
    assert voices[16:22] == ["base", "t2", "t1"] * 2
    media = {address for address in content.addresses() if address.startswith("media/t1/")}
    assert "media/t1/finals/strength_0.5/line_00.wav" in media and "media/t1/finals/strength_0.5/line_00.png" in media
    assert "t1 at 0.5×" in content.text


def test_every_trial_has_its_recordings_and_its_reason(run):
    content = Page(write_report(run))
    assert "1 of 4 lines failed (garbled in 1)" in content.text
    assert [address for address in content.addresses() if address.startswith("media/t3/")] == [
        f"media/t3/probe/line_{number:02d}.wav" for number in range(4)
    ]
    ((_, missing),) = [(tag, attrs) for tag, attrs in content.tags if tag == "del"]
    assert missing["title"] == "not heard"
    assert "several quiet green sentences" in content.text
    assert "t4" in content.text and "+12.0 semitones" in content.text
    assert all(words in content.text for words in ("12 clips, in training mode", "4.150", "base model before training"))


def test_linked_recordings_follow_the_originals(run):
    write_report(run)
    original, linked = run.trial("t3") / "probe/line_00.wav", run.path / "report/media/t3/probe/line_00.wav"
    assert linked.read_bytes() == original.read_bytes()
    original.with_suffix(".part").write_bytes((run.base / "probe/line_03.wav").read_bytes())
    original.with_suffix(".part").replace(original)
    write_report(run)
    assert linked.read_bytes() == original.read_bytes()


def test_recordings_that_are_missing_or_outside_the_trial_are_reported(run, tmp_path):
    (run.trial("t3") / "probe/line_01.wav").unlink()
    stolen = heard_run.verdict(
        (made_runs.line("x", 0.1).model_copy(update={"audio": "../../../voice/ref.wav"}),), ("no",)
    )
    heard_run.end(run, made_runs.outcome("t5", Ending.OVERSHOT, verdict=stolen))
    content = Page(write_report(run))
    assert content.text.count("the recording is missing") == 2
    assert not any("ref.wav" in address and "t5" in address for address in content.addresses())


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_are_shown_literally(run, text):
    lines = (heard_run.spoken(text, 0, heard=f"{text} too"), *heard_run.lines(0.5)[1:])
    heard_run.end(run, made_runs.outcome("t6", verdict=heard_run.verdict(lines, (text,)), reason=text))
    scripts = sum(tag == "script" for tag, _ in Page(write_report(run)).tags)
    content = Page(run.path / "report/index.html")
    assert content.text.count(" ".join(text.split())) >= 3
    assert scripts == 2, "the page's own data and its own script"
    assert not any(name.startswith("on") for _, attrs in content.tags for name in attrs)
    assert not [attrs for tag, attrs in content.tags if tag == "b" and "quoted" in str(attrs)]


def test_a_search_that_has_just_started_has_a_page(tmp_path):
    run = made_runs.RunFolder(tmp_path)
    Ledger(run.ledger).append(made_runs.started())
    content = Page(write_report(run))
    assert "The search has not ended" in content.text
    assert "the data of the search cannot be read" in content.text
    assert not content.with_class("play")


def test_before_the_confirmation_the_candidates_are_shown(tmp_path):
    run = heard_run.write_heard_run(tmp_path, finals=False)
    assert featured_trials(read_ledger(run.ledger)) == ["t1", "t2", "t3"]
    content = Page(write_report(run))
    assert "The search has not ended" in content.text
    assert {attrs["data-voice"] for attrs in content.with_class("play")} >= {BASE, "t1", "t2", "t3"}


def test_the_ranking_shows_votes(run):
    votes = [
        Vote(trial="t2", confirmation=True, text=text, occurrence=0, first="base", choice=choice)
        for text, choice in zip(heard_run.OTHERS, (Preference.TRIAL, Preference.NEITHER), strict=True)
    ]
    Ledger(run.ledger).append(VotesGiven(round="r", votes=tuple(votes)))
    assert "1 for it, 0 for the base, 1 for neither" in Page(write_report(run)).text


def test_a_blind_round_has_only_pairs_with_both_recordings(run):
    (run.trial("t1") / "finals/confirmation/line_00.wav").unlink()
    write_report(run)
    content = (run.path / "report/index.html").read_text()
    pairs = json.loads(re.search(r'<script type="application/json" id="pairs">(.*?)</script>', content, re.S)[1])[
        "pairs"
    ]
    asked = {(pair["trial"], pair["confirmation"], pair["text"], pair["occurrence"]) for pair in pairs}
    first = {("t1", False, text, occurrence) for text, occurrence in zip(heard_run.LINES, (0, 0, 1, 0), strict=True)}
    assert asked == first | {("t2", *rest[1:]) for rest in first} | {
        ("t1", True, heard_run.OTHERS[1], 0),
        ("t2", True, heard_run.OTHERS[0], 0),
        ("t2", True, heard_run.OTHERS[1], 0),
    }


@pytest.mark.soak
def test_a_page_of_a_hundred_trials_stays_small(tmp_path):
    run = heard_run.write_heard_run(tmp_path)
    many = heard_run.lines(0.2, texts=tuple(f"line number {number} of a probe of twenty" for number in range(20)))
    heard = heard_run.verdict(many, ("20 of 20 lines failed",))
    for number in range(100):
        heard_run.end(
            run, made_runs.outcome(f"m{number:02d}", verdict=heard, drawn=made_runs.draw(lora_lr=1e-4 * (1 + number)))
        )
    page = write_report(run)
    assert page.stat().st_size < 4_000_000
    pictures = list(page.parent.rglob("*.png"))
    assert len(pictures) == 21, "of what stands side by side, not of every trial"
    assert not [tag for tag, _ in Page(page).tags if tag in ("audio", "video", "iframe")]


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.5, 40.0])
def test_recordings_of_any_length_have_a_picture(run, seconds):
    import soundfile
    from matplotlib.image import imread

    file = run.base / "probe/line_00.wav"
    soundfile.write(file, np.zeros(int(seconds * 24_000), np.float32), 24_000)
    write_report(run)
    picture = run.path / "report/media/base/probe/line_00.png"
    assert picture.is_file() == (seconds > 0), "an empty recording has nothing to draw"
    if seconds:
        rows, columns, _ = imread(picture).shape
        assert rows == 80 and 140 <= columns <= 480


def test_the_command_writes_the_page_and_prints_its_path(run):
    app = typer.Typer()
    app.command()(report)
    result = CliRunner().invoke(app, [str(run.path)])
    assert result.exit_code == 0
    assert result.stdout.strip() == str(run.path / "report/index.html")
    assert CliRunner().invoke(app, [str(run.path / "nowhere")]).exit_code == 2


def test_a_folder_that_cannot_be_written_is_reported(run):
    (run.path / "report").write_text("in the way")
    with pytest.raises(InputError, match="report: cannot be written"):
        write_report(run)
