"""A search that is typed on one machine and done on another, whose Ray takes jobs."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from results.run.run_folder import RunFolder
from search.planning.plan import Arguments
from search.submit.submit import SubmitRequest, submit_search
from search.submit.submitted_run import has_record, read_record
from spaces.errors import InputError
from tests.support.toy_head import DirectoryHead, started_head, toy_head, toy_project
from tests.support.voices import make_voice

NOW = datetime(2026, 1, 2, 3, 4, 5)
SOON = 60.0


@pytest.fixture(autouse=True)
def heeds_ctrl_c() -> Iterator[None]:
    """Also where the tests were started in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def head(tmp_path: Path) -> DirectoryHead:
    return toy_head(tmp_path / "head")


class Typed:
    """One command line, typed here again and again."""

    def __init__(self, head: DirectoryHead, folder: Path) -> None:
        self.head, self.project = head, toy_project(folder / "project")
        self.voice = make_voice(folder / "my voice's; $(touch broken)")
        self.out = RunFolder(folder / "run")
        self.printed = ""
        self.said = io.StringIO()
        self._now = NOW

    def __call__(self, resume: bool = False, minutes: float = 1.0, **typed: float) -> int:
        """Its exit code. `trials` are lines, `hours` the seconds between them, `accept` is the exit code there."""
        data = () if resume else (str(self.voice),)
        options = [("data", "--data", data)] if data else []
        options += [(name, f"--{name}", (str(value),)) for name, value in typed.items()]
        self._now += timedelta(seconds=1)
        request = SubmitRequest(
            Arguments(data=data, out=self.out.path, resume=resume), options, self._now, self.project, minutes
        )
        self.said = io.StringIO()
        try:
            return submit_search(self.head, request, Console(file=self.said, width=10_000))
        finally:
            self.printed = self.said.getvalue()

    def lines(self) -> list[str]:
        return [line for line in self.printed.splitlines() if line.startswith("line ")]


@pytest.fixture
def typed(head: DirectoryHead, tmp_path: Path) -> Typed:
    return Typed(head, tmp_path)


def once(typed: Typed, words: str, do: Callable[[], None]) -> threading.Thread:
    """Does something as soon as the search there has said these words."""

    def wait() -> None:
        deadline = time.monotonic() + SOON
        while not any(words in path.read_text() for path in logs(typed)) and time.monotonic() < deadline:
            time.sleep(0.1)
        do()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def logs(typed: Typed) -> list[Path]:
    """What jobs have written, on the head's own disk."""
    home = typed.head.home
    return [*home.glob("jobs/*.log"), *home.parent.glob("ray/session_latest/logs/job-driver-*.log")]


def wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_what_a_search_there_finds_is_here_afterwards_and_its_exit_code_too(typed, head) -> None:
    assert typed(trials=3, accept=3) == 3
    assert typed.lines() == ["line 0", "line 1", "line 2"]
    assert f"Adapter: {typed.out.path}/best" in typed.printed
    here = {path.relative_to(typed.out.path).parts[0] for path in typed.out.path.iterdir()}
    assert here == {"best", "ledger.jsonl", "tensorboard", "report", "search.png", "trials", "cluster.json", ".lock"}
    assert not list(typed.out.trials.rglob("weights"))
    # The command line that arrived, word for word.
    words = (typed.out.best / "adapter").read_text().split()
    assert words[:3] == ["--address", "auto", "--out"] and "--trials=3" in words
    (data,) = (word.removeprefix("--data=") for word in words if word.startswith("--data="))
    sent = {path.name: path.read_bytes() for path in Path(data).iterdir()}
    assert sent == {path.name: path.read_bytes() for path in typed.voice.iterdir()}
    assert not list(head.home.rglob("broken"))


def test_what_has_arrived_is_not_sent_again(typed, head, tmp_path) -> None:
    typed(trials=1)
    sent = len(head.sent)
    typed.out = RunFolder(tmp_path / "another")
    typed(trials=1)
    assert len(head.sent) == sent
    (typed.voice / "metadata.jsonl").write_text((typed.voice / "metadata.jsonl").read_text() + "\n")
    typed.out = RunFolder(tmp_path / "a third")
    typed(trials=1)
    assert len(head.sent) == sent + 1


def test_a_lost_connection_is_survived_and_no_line_is_told_twice(typed, head) -> None:
    cut = once(typed, "line 2", head.cut)
    assert typed(trials=8, hours=1) == 0
    cut.join()
    assert typed.lines() == [f"line {number}" for number in range(8)]


def test_a_connection_that_does_not_come_back_leaves_a_search_to_come_back_to(typed, head) -> None:
    def cut_off() -> None:
        head.is_cut_off = True
        head.cut()

    cut = once(typed, "line 1", cut_off)
    assert typed(trials=6, hours=1, minutes=0.05) == 130
    cut.join()
    assert "no route to host" in typed.printed
    assert f"--cluster toy.yaml --out {typed.out.path} --resume" in typed.printed
    assert not typed.out.ledger.exists()
    with pytest.raises(InputError, match="cannot be reached.*no route to host.*ray up toy.yaml"):
        typed(resume=True)
    head.is_cut_off = False
    assert typed(resume=True) == 0
    assert typed.lines() == [f"line {number}" for number in range(6)]
    assert typed.out.ledger.read_text().count("{}") == 1


def test_the_first_ctrl_c_ends_the_search_there_in_good_order(typed) -> None:
    interrupt = once(typed, "line 1", lambda: os.kill(os.getpid(), signal.SIGINT))
    assert typed(trials=100, hours=0.5) == 130
    interrupt.join()
    assert "ended in good order" in typed.printed and len(typed.lines()) < 100
    assert f"Resume:  python search/run.py --cluster toy.yaml --out {typed.out.path} --resume" in typed.printed
    assert typed.out.ledger.exists()


def test_the_second_ctrl_c_leaves_it_alone(typed, head) -> None:
    """The search there takes its time to end."""
    run = typed.project / "search" / "run.py"
    run.write_text(
        run.read_text().replace("except KeyboardInterrupt:", "except KeyboardInterrupt:\n    time.sleep(12)")
    )

    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        wait_for(lambda: any("ray job stop" in each for each in head.commands))
        wait_for(lambda: "ray job logs" in head.commands[-1])
        os.kill(os.getpid(), signal.SIGINT)

    interrupts = once(typed, "line 1", twice)
    assert typed(trials=100, hours=0.5) == 130
    interrupts.join()
    assert "no longer followed" in typed.printed and not read_record(typed.out).fetched
    assert typed(resume=True) == 130
    assert "ended in good order" in typed.printed and read_record(typed.out).fetched


def test_a_search_that_has_ended_goes_on_as_another_job_in_the_same_folder(typed) -> None:
    typed(trials=1)
    first = read_record(typed.out)
    assert typed(resume=True, trials=2) == 0
    second = read_record(typed.out)
    assert (second.run, second.job == first.job) == (first.run, False)
    assert typed.out.ledger.read_text().count("{}") == 2
    assert "--resume" in (typed.out.best / "adapter").read_text().split()


def test_a_search_that_was_killed_is_told_and_what_it_found_is_fetched(typed, head) -> None:
    search = f"[s]earch/run.py --address auto --out {head.home}"
    killed = once(typed, "line 1", lambda: head.run(f"kill -KILL $(pgrep --full --newest '{search}')"))
    assert typed(trials=100, hours=0.5) == 137
    killed.join()
    assert "was killed there, exit code 137" in typed.printed and "--resume" in typed.printed
    assert typed.out.ledger.exists() and read_record(typed.out).fetched


def test_a_job_that_is_killed_without_a_word_is_told(typed, head) -> None:
    killed = once(typed, "line 1", lambda: head.run("kill -KILL -- -$(cat jobs/*.group)"))
    assert typed(trials=100, hours=0.5) == 1
    killed.join()
    assert "ended without an exit code (the job failed)" in typed.printed and typed.out.ledger.exists()


def test_what_ray_there_does_not_know_any_more_goes_on_as_another_job(typed, head) -> None:
    """As when the head was started again."""

    def forget() -> None:
        head.is_cut_off = True
        head.cut()

    cut = once(typed, "line 1", forget)
    assert typed(trials=100, hours=0.5, minutes=0.01) == 130
    cut.join()
    head.is_cut_off = False
    head.run("kill -KILL -- -$(cat jobs/*.group); rm -r jobs")
    assert typed(resume=True, trials=2) == 0
    assert "continues as another job" in typed.printed and typed.lines() == ["line 0", "line 1"]
    assert typed.out.ledger.read_text().count("{}") == 2


@pytest.mark.soak
@pytest.mark.ray
def test_jobs_of_ray_itself_are_followed_through_a_lost_connection_and_end_in_good_order(tmp_path) -> None:
    with started_head() as head:
        typed = Typed(head, tmp_path)

        def cut_and_interrupt() -> None:
            head.cut()
            wait_for(lambda: "line 6" in typed.said.getvalue())
            os.kill(os.getpid(), signal.SIGINT)

        disturbed = once(typed, "line 2", cut_and_interrupt)
        assert typed(trials=1000, hours=0.5) == 130
        disturbed.join()
        assert "ended in good order" in typed.printed and typed.out.ledger.exists()
        assert typed.lines() == [f"line {number}" for number in range(len(typed.lines()))]
        assert typed(resume=True, trials=1) == 0
        assert typed.lines() == ["line 0"]


def test_what_the_head_refuses_leaves_nothing_here(typed) -> None:
    assert typed(accept=2) == 2
    assert not has_record(typed.out) and not typed.out.ledger.exists()
    assert typed(trials=1) == 0


def test_a_folder_that_is_taken_and_data_that_is_not_there_are_refused_here(typed, head, tmp_path) -> None:
    typed(trials=1)
    sent = list(head.sent)
    with pytest.raises(InputError, match="holds a search on a cluster.*--resume"):
        typed(trials=1)
    typed.out = RunFolder(tmp_path / "new")
    typed.voice = tmp_path / "nowhere"
    with pytest.raises(InputError, match="nowhere: no such folder or file"):
        typed(trials=1)
    with pytest.raises(InputError, match="no search on a cluster is known"):
        typed(resume=True)
    assert not typed.out.path.exists() and head.sent == sent


def test_secrets_of_this_machine_stay_here(typed, head, monkeypatch) -> None:
    """Neither its environment nor what is hidden in a folder is sent."""
    secret = "hf_planted_on_the_laptop"
    monkeypatch.setenv("HF_TOKEN", secret)
    (typed.voice / ".env").write_text(f"HF_TOKEN={secret}")
    typed(trials=1)
    record = json.loads((typed.out.path / "cluster.json").read_text())
    inputs = Path(record["run"]).parent.parent
    files = [*inputs.rglob("*"), *logs(typed), *typed.out.path.rglob("*")]
    assert len(files) > 10
    assert not [path for path in files if path.is_file() and secret.encode() in path.read_bytes()]
