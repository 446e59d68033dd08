"""The listening page in a real browser."""

import json

import pytest

from results.report.page import page_path, write_report
from results.run.ledger import read_ledger
from results.run.vote import tally_votes
from results.votes import add_votes
from tests.support import heard_run, made_runs

HOSTILE = "<img src=x onerror=\"document.title='ran'\"></script><script>document.title='ran'</script>'\" \u202e🙂"
PRESSED = "[...document.querySelectorAll('.play')].filter(each => each.getAttribute('aria-pressed') === 'true')"
FOCUSED = "(each => each && each.dataset ? each.dataset.voice || each.textContent : '')(document.activeElement)"
PLACE = "[...document.querySelectorAll('#set-trial .line')].indexOf(document.activeElement.closest('.line'))"
SIDE = "#set-trial .line .play"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("heard")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWEETSPOT_CACHE", str(path / "cache"))
        run = heard_run.write_heard_run(path)
        lines = (heard_run.spoken(HOSTILE, 0, heard=HOSTILE), *heard_run.lines(0.5)[1:])
        heard_run.end(run, made_runs.outcome("t6", verdict=heard_run.verdict(lines, (HOSTILE,)), reason=HOSTILE))
        write_report(run)
        yield run


@pytest.fixture
def page(run, browser):
    browser.open(page_path(run))
    return browser


def test_a_click_plays_a_recording_and_another_one_stops_it(page):
    page.click(SIDE)
    assert page.evaluate(f"{PRESSED}.map(each => each.dataset.voice)") == ["recording"]
    page.click(f"{SIDE}[data-voice=base]")
    assert page.evaluate(f"{PRESSED}.map(each => each.dataset.voice)") == ["base"]
    page.wait_for(f"{PRESSED}.length === 0")
    assert page.complaints() == []


def test_space_plays_and_arrows_change_voice_and_line(page):
    page.evaluate(f"document.querySelector('{SIDE}[data-voice=base]').focus()")
    seen = []
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowLeft", "ArrowUp"):
        page.press(key)
        seen.append((page.evaluate(FOCUSED), page.evaluate(PLACE)))
    assert seen == [("t2", 0), ("t2", 1), ("t2", 2), ("t2", 3), ("t2", 3), ("base", 3), ("base", 2)]
    assert page.evaluate(f"{PRESSED}.length") == 0
    page.press(" ")
    assert page.evaluate(f"{PRESSED}.map(each => each.dataset.voice)") == ["base"]
    # Playback continues with the next voice.
    page.press("ArrowRight")
    assert page.evaluate(f"{PRESSED}.map(each => each.dataset.voice)") == ["t2"]
    page.press(" ")
    assert page.evaluate(f"{PRESSED}.length") == 0


def test_every_recording_and_picture_loads_from_disk(page):
    loads = (
        "Promise.all([...new Set([...document.querySelectorAll('a.play')].map(each => each.href))].filter(each =>"
        " !each.includes('#')).map(address => new Promise(done => { const audio = new Audio(address);"
        " audio.onloadedmetadata = () => done(null); audio.onerror = () => done(address); })))"
    )
    gone = page.evaluate(loads)
    assert len(gone) > 30 and set(gone) == {None}
    page.evaluate("document.querySelectorAll('img').forEach(each => each.loading = 'eager')")
    page.wait_for("[...document.querySelectorAll('img')].every(each => each.complete)")
    assert page.evaluate("[...document.querySelectorAll('img')].every(each => each.naturalHeight === 80)")


def test_a_tab_shows_the_lines_of_the_confirmation(page):
    shown = "[...document.querySelectorAll('.lines[id]')].filter(each => !each.hidden).map(each => each.id)"
    assert page.evaluate(shown) == ["set-trial"]
    page.click(".tabs button[data-set=final]")
    assert page.evaluate(shown) == ["set-final"]


def test_a_trial_in_the_ranking_links_to_its_recordings(page):
    page.click("table a[href='#trial-t3']")
    page.wait_for("document.getElementById('trial-t3').open")
    page.click("#trial-t3 .play")
    assert page.evaluate(f"{PRESSED}.map(each => each.dataset.voice)") == ["t3"]


def test_hostile_texts_are_shown_and_never_run(page):
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert HOSTILE in page.evaluate("document.getElementById('trial-t6').innerText")
    assert "ran" not in page.evaluate("document.title")
    assert page.evaluate("document.querySelectorAll('#trial-t6 img, #trial-t6 script').length") == 0
    assert page.complaints() == []


def test_hostile_lines_are_shown_literally_in_a_blind_round(tmp_path, monkeypatch, browser):
    monkeypatch.setenv("SWEETSPOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(heard_run, "LINES", (HOSTILE,))
    monkeypatch.setattr(heard_run.lines, "__defaults__", ("probe", (HOSTILE,)))
    browser.open(write_report(heard_run.write_heard_run(tmp_path, finals=False)))
    browser.evaluate("localStorage.clear()")
    browser.click("#round button")
    assert browser.evaluate("document.querySelector('#round .text').textContent") == HOSTILE
    assert "ran" not in browser.evaluate("document.title")
    assert browser.complaints() == []


@pytest.mark.parametrize(("width", "dark"), [(360, True), (1400, False)])
def test_nothing_is_wider_than_the_screen_in_light_and_dark(page, width, dark):
    page.ask("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    page.ask("Emulation.setEmulatedMedia", features=[scheme])
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    brightness = page.evaluate("Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])")
    assert (brightness < 60) == dark and (brightness > 200) != dark
    page.ask("Emulation.clearDeviceMetricsOverride")


def test_the_votes_of_a_blind_round_can_be_added_to_the_ledger(run, page, tmp_path):
    page.evaluate("localStorage.clear()")
    page.click("#round button")
    heard = []
    for number in range(12):
        assert f"{number + 1} of 12" in page.evaluate("document.getElementById('round').innerText")
        words = page.evaluate("document.getElementById('round').innerHTML")
        assert "media/" not in words and not any(trial in words for trial in ("t1", "t2"))
        assert page.evaluate(FOCUSED) == "A"
        page.press("b")
        assert page.evaluate(f"{PRESSED}.map(each => each.dataset.voice)") == ["B"]
        asked = page.evaluate("JSON.parse(Object.values(localStorage).at(-1)).asked")[number]
        heard.append("base" if asked["first"] == "trial" else "trial")
        if number == 5:
            # Votes are kept when the page is opened again.
            page.reload()
            page.evaluate("document.querySelector('#round .play').focus()")
        page.press("3")
    page.click("#round .main")
    downloads = tmp_path / "downloads"
    for _ in range(600):
        files = [each for each in downloads.glob("votes-*.json")] if downloads.is_dir() else []
        if files:
            break
        page.evaluate("new Promise(done => setTimeout(done, 50))")
    (file,) = files
    given = json.loads(file.read_text())
    # B is better every time: the vote is for the recording that was not A.
    assert [vote["choice"] for vote in given["votes"]] == heard
    assert all({vote["first"], vote["choice"]} == {"base", "trial"} for vote in given["votes"])

    assert len(add_votes(run, file)) == 12
    counted = tally_votes(read_ledger(run.ledger).votes.values())
    assert sum(tally.trial + tally.base for tally in counted.values()) == 12
    page.open(write_report(run))
    shown = page.evaluate("document.querySelector('table').innerText")
    assert all(str(tally) in shown for tally in counted.values())
    assert page.complaints() == []
