"""A search that is submitted from one machine to the Ray of another."""

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
from search.planning.arguments import Arguments
from search.submit import ray_job
from search.submit.submit import SubmitRequest, submit_search
from search.submit.submitted_run import has_record, read_record
from spaces.errors import InputError
from tests.support.toy_head import DirectoryHead, started_head, toy_head, toy_project
from tests.support.voices import make_voice

NOW = datetime(2026, 1, 2, 3, 4, 5)
SOON = 60.0


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost connection is tried again soon."""
    monkeypatch.setattr(ray_job, "FIRST_BACKOFF_SECONDS", 0.1)


@pytest.fixture(autouse=True)
def handle_ctrl_c() -> Iterator[None]:
    """SIGINT is ignored if the tests were started in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def head(tmp_path: Path) -> DirectoryHead:
    return toy_head(tmp_path / "head")


class CommandLine:
    """A command line with --cluster that a test runs several times."""

    def __init__(self, head: DirectoryHead, folder: Path) -> None:
        self.head, self.project = head, toy_project(folder / "project")
        self.voice = make_voice(folder / "my voice's; $(touch broken)")
        self.out = RunFolder(folder / "run")
        self.printed = ""
        self.said = io.StringIO()
        self._now = NOW

    def __call__(self, resume: bool = False, minutes: float = 1.0, **options: float) -> int:
        """Its exit code. `trials` are lines, `hours` the seconds between them, `accept` is the exit code there."""
        data = () if resume else (str(self.voice),)
        given = [("data", "--data", data)] if data else []
        given += [(name, f"--{name}", (str(value),)) for name, value in options.items()]
        self._now += timedelta(seconds=1)
        request = SubmitRequest(
            Arguments(data=data, out=self.out.path, resume=resume), given, self._now, self.project, minutes
        )
        self.said = io.StringIO()
        try:
            return submit_search(self.head, request, Console(file=self.said, width=10_000))
        finally:
            self.printed = self.said.getvalue()

    def lines(self) -> list[str]:
        return [line for line in self.printed.splitlines() if line.startswith("line ")]


@pytest.fixture
def submitted(head: DirectoryHead, tmp_path: Path) -> CommandLine:
    return CommandLine(head, tmp_path)


def once(submitted: CommandLine, words: str, do: Callable[[], None]) -> threading.Thread:
    """Calls `do` in a thread as soon as the log of the search has these words."""

    def wait() -> None:
        deadline = time.monotonic() + SOON
        while not any(words in path.read_text() for path in logs(submitted)) and time.monotonic() < deadline:
            time.sleep(0.1)
        do()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def logs(submitted: CommandLine) -> list[Path]:
    """The logs of jobs, on the disk of the head."""
    home = submitted.head.home
    return [*home.glob("jobs/*.log"), *home.parent.glob("ray/session_latest/logs/job-driver-*.log")]


def wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_results_and_exit_code_of_the_search_arrive_here(submitted, head) -> None:
    assert submitted(trials=3, accept=3) == 3
    assert submitted.lines() == ["line 0", "line 1", "line 2"]
    assert f"Adapter: {submitted.out.path}/best" in submitted.printed
    here = {path.relative_to(submitted.out.path).parts[0] for path in submitted.out.path.iterdir()}
    assert here == {"best", "ledger.jsonl", "tensorboard", "report", "search.png", "trials", "cluster.json", ".lock"}
    assert not list(submitted.out.trials.rglob("weights"))
    # The command line that arrived, word for word.
    words = (submitted.out.best / "adapter").read_text().split()
    assert words[:3] == ["--address", "auto", "--out"] and "--trials=3" in words
    (data,) = (word.removeprefix("--data=") for word in words if word.startswith("--data="))
    sent = {path.name: path.read_bytes() for path in Path(data).iterdir()}
    assert sent == {path.name: path.read_bytes() for path in submitted.voice.iterdir()}
    assert not list(head.home.rglob("broken"))


def test_files_that_have_arrived_are_not_sent_again(submitted, head, tmp_path) -> None:
    submitted(trials=1)
    sent = len(head.sent)
    submitted.out = RunFolder(tmp_path / "another")
    submitted(trials=1)
    assert len(head.sent) == sent
    (submitted.voice / "metadata.jsonl").write_text((submitted.voice / "metadata.jsonl").read_text() + "\n")
    submitted.out = RunFolder(tmp_path / "a third")
    submitted(trials=1)
    assert len(head.sent) == sent + 1


def test_a_lost_connection_is_restored_and_no_line_is_repeated(submitted, head) -> None:
    cut = once(submitted, "line 2", head.cut)
    assert submitted(trials=8, hours=1) == 0
    cut.join()
    assert submitted.lines() == [f"line {number}" for number in range(8)]


def test_after_a_connection_that_stays_lost_the_search_can_be_resumed(submitted, head) -> None:
    def cut_off() -> None:
        head.is_cut_off = True
        head.cut()

    cut = once(submitted, "line 1", cut_off)
    assert submitted(trials=6, hours=1, minutes=0.05) == 130
    cut.join()
    assert "no route to host" in submitted.printed
    assert f"--cluster toy.yaml --out {submitted.out.path} --resume" in submitted.printed
    assert not submitted.out.ledger.exists()
    with pytest.raises(InputError, match="cannot be reached.*no route to host.*ray up toy.yaml"):
        submitted(resume=True)
    head.is_cut_off = False
    assert submitted(resume=True) == 0
    assert submitted.lines() == [f"line {number}" for number in range(6)]
    assert submitted.out.ledger.read_text().count("{}") == 1


def test_the_first_ctrl_c_ends_the_search_there_in_good_order(submitted) -> None:
    interrupt = once(submitted, "line 1", lambda: os.kill(os.getpid(), signal.SIGINT))
    assert submitted(trials=100, hours=0.5) == 130
    interrupt.join()
    assert "ended in good order" in submitted.printed and len(submitted.lines()) < 100
    assert f"Resume:  python search/run.py --cluster toy.yaml --out {submitted.out.path} --resume" in submitted.printed
    assert submitted.out.ledger.exists()


def test_the_second_ctrl_c_stops_following(submitted, head) -> None:
    """The search ends later than that."""
    run, may_end = submitted.project / "search" / "run.py", head.home / "may end"
    wait = f"while not pathlib.Path({str(may_end)!r}).exists():\n        time.sleep(0.1)"
    run.write_text(run.read_text().replace("except KeyboardInterrupt:", f"except KeyboardInterrupt:\n    {wait}"))

    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        wait_for(lambda: any("ray job stop" in each for each in head.commands))
        wait_for(lambda: "ray job logs" in head.commands[-1])
        os.kill(os.getpid(), signal.SIGINT)

    interrupts = once(submitted, "line 1", twice)
    assert submitted(trials=100, hours=0.5) == 130
    interrupts.join()
    assert "no longer followed" in submitted.printed and not read_record(submitted.out).fetched
    may_end.touch()
    assert submitted(resume=True) == 130
    assert "ended in good order" in submitted.printed and read_record(submitted.out).fetched


def test_an_ended_search_continues_as_another_job_in_the_same_folder(submitted) -> None:
    submitted(trials=1)
    first = read_record(submitted.out)
    assert submitted(resume=True, trials=2) == 0
    second = read_record(submitted.out)
    assert (second.run, second.job == first.job) == (first.run, False)
    assert submitted.out.ledger.read_text().count("{}") == 2
    assert "--resume" in (submitted.out.best / "adapter").read_text().split()


def test_a_killed_search_is_reported_and_its_results_are_fetched(submitted, head) -> None:
    search = f"[s]earch/run.py --address auto --out {head.home}"
    killed = once(submitted, "line 1", lambda: head.run(f"kill -KILL $(pgrep --full --newest '{search}')"))
    assert submitted(trials=100, hours=0.5) == 137
    killed.join()
    assert "was killed there, exit code 137" in submitted.printed and "--resume" in submitted.printed
    assert submitted.out.ledger.exists() and read_record(submitted.out).fetched


def test_a_job_that_is_killed_without_an_exit_code_is_reported(submitted, head) -> None:
    killed = once(submitted, "line 1", lambda: head.run("kill -KILL -- -$(cat jobs/*.group)"))
    assert submitted(trials=100, hours=0.5) == 1
    killed.join()
    assert "ended without an exit code (the job failed)" in submitted.printed and submitted.out.ledger.exists()


def test_a_search_that_ray_no_longer_knows_continues_as_another_job(submitted, head) -> None:
    """As after a restart of the head."""

    def forget() -> None:
        head.is_cut_off = True
        head.cut()

    cut = once(submitted, "line 1", forget)
    assert submitted(trials=100, hours=0.5, minutes=0.01) == 130
    cut.join()
    head.is_cut_off = False
    head.run("kill -KILL -- -$(cat jobs/*.group); rm -r jobs")
    assert submitted(resume=True, trials=2) == 0
    assert "continues as another job" in submitted.printed and submitted.lines() == ["line 0", "line 1"]
    assert submitted.out.ledger.read_text().count("{}") == 2


@pytest.mark.soak
@pytest.mark.ray
def test_jobs_of_ray_itself_are_followed_through_a_lost_connection_and_end_in_good_order(tmp_path) -> None:
    with started_head() as head:
        submitted = CommandLine(head, tmp_path)

        def cut_and_interrupt() -> None:
            head.cut()
            wait_for(lambda: "line 6" in submitted.said.getvalue())
            os.kill(os.getpid(), signal.SIGINT)

        disturbed = once(submitted, "line 2", cut_and_interrupt)
        assert submitted(trials=1000, hours=0.5) == 130
        disturbed.join()
        assert "ended in good order" in submitted.printed and submitted.out.ledger.exists()
        assert submitted.lines() == [f"line {number}" for number in range(len(submitted.lines()))]
        assert submitted(resume=True, trials=1) == 0
        assert submitted.lines() == ["line 0"]


def test_a_search_that_the_head_refuses_leaves_nothing_here(submitted) -> None:
    assert submitted(accept=2) == 2
    assert not has_record(submitted.out) and not submitted.out.ledger.exists()
    assert submitted(trials=1) == 0


def test_a_used_folder_and_missing_data_are_refused_here(submitted, head, tmp_path) -> None:
    submitted(trials=1)
    sent = list(head.sent)
    with pytest.raises(InputError, match="holds a search on a cluster.*--resume"):
        submitted(trials=1)
    submitted.out = RunFolder(tmp_path / "new")
    submitted.voice = tmp_path / "nowhere"
    with pytest.raises(InputError, match="nowhere: no such folder or file"):
        submitted(trials=1)
    with pytest.raises(InputError, match="no search on a cluster is known"):
        submitted(resume=True)
    assert not submitted.out.path.exists() and head.sent == sent


def test_secrets_of_this_machine_stay_here(submitted, head, monkeypatch) -> None:
    """Neither the environment nor hidden files of a folder are sent."""
    secret = "hf_planted_on_the_laptop"
    monkeypatch.setenv("HF_TOKEN", secret)
    (submitted.voice / ".env").write_text(f"HF_TOKEN={secret}")
    submitted(trials=1)
    record = json.loads((submitted.out.path / "cluster.json").read_text())
    inputs = Path(record["run"]).parent.parent
    files = [*inputs.rglob("*"), *logs(submitted), *submitted.out.path.rglob("*")]
    assert len(files) > 10
    assert not [path for path in files if path.is_file() and secret.encode() in path.read_bytes()]
