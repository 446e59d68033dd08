"""The child process of recognisers: equal transcripts, what it holds, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spaces.errors import InputError
from tests.support.paths import ROOT
from tests.support.tiny_whisper import make_tiny_whisper
from trainable.speech.asr.pocket_sphinx import PocketSphinx
from trainable.speech.audio import SAMPLE_RATE, read_audio
from trainable.speech.background.child_main import Request
from trainable.speech.background.child_process import ChildProcess, child_process
from trainable.speech.background.recogniser import open_background_recogniser

VOICE = ROOT / "demo" / "voice"
TEXTS = ("one two three four", "five six seven eight nine zero")


@pytest.fixture(scope="module")
def waves() -> list[np.ndarray]:
    return [np.zeros(SAMPLE_RATE, dtype=np.float32), *(read_audio(VOICE / f"clip_{at:03d}.wav") for at in range(3))]


@pytest.fixture(scope="module")
def expected(waves: list[np.ndarray]) -> list[str]:
    return PocketSphinx(TEXTS).transcribe(waves)


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def until(done: Callable[[], bool]) -> None:
    for _ in range(600):
        if done():
            return
        time.sleep(0.05)
    raise AssertionError("not done after half a minute")


def test_a_child_transcribes_as_this_process_does_and_loads_no_torch(
    waves: list[np.ndarray], expected: list[str]
) -> None:
    recogniser = open_background_recogniser("pocketsphinx", TEXTS, "en")
    futures = [recogniser.submit(waves), recogniser.submit(waves[:2]), recogniser.submit([])]
    assert [future.result() for future in futures] == [expected, expected[:2], []]
    assert expected[0] == "" and all(expected[1:]) and recogniser.transcribe(waves[2:]) == expected[2:]
    child = child_process().pid
    maps = Path(f"/proc/{child}/maps").read_text()
    assert "pocketsphinx" in maps and "libtorch" not in maps
    assert os.getpriority(os.PRIO_PROCESS, child) == os.getpriority(os.PRIO_PROCESS, 0)
    # Every recogniser of this process shares the child.
    open_background_recogniser("pocketsphinx", TEXTS[:1], "en").transcribe([])
    assert child_process().pid == child


def test_errors_of_the_recogniser_are_those_of_this_process(waves: list[np.ndarray]) -> None:
    norwegian = open_background_recogniser("pocketsphinx", ("jordbærsyltetøyet står på kjøkkenbenken",), "en")
    with pytest.raises(InputError, match="no pronunciation for"):
        norwegian.transcribe(waves)
    with pytest.raises(InputError, match="did you mean pocketsphinx"):
        open_background_recogniser("pocketsphynx", TEXTS, "en")
    with pytest.raises(RuntimeError, match="TypeError"):
        child_process().submit(Request("pocketsphinx", TEXTS, "en", (3,))).result()  # type: ignore[arg-type]


def test_a_child_that_was_killed_is_started_again(waves: list[np.ndarray], expected: list[str]) -> None:
    recogniser = open_background_recogniser("pocketsphinx", TEXTS, "en")
    assert recogniser.transcribe(waves) == expected
    killed = child_process().pid
    # Ctrl-C reaches it too, and ends nothing.
    os.kill(killed, signal.SIGINT)
    assert recogniser.transcribe(waves) == expected and child_process().pid == killed
    os.kill(killed, signal.SIGKILL)
    assert recogniser.transcribe(waves) == expected
    assert child_process().pid != killed and has_ended(killed)


def test_a_child_that_dies_twice_is_an_error_that_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    suicide = [sys.executable, "-Sc", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    started: list[int] = []
    monkeypatch.setattr(
        "trainable.speech.background.child_process.command", lambda descriptor: started.append(descriptor) or suicide
    )
    child = ChildProcess()
    with pytest.raises(InputError, match=r"pocketsphinx: its process ended twice .* \(by SIGKILL\); free main memory"):
        child.submit(Request("pocketsphinx", TEXTS, "en", (b"",))).result()
    assert len(started) == 2 and child.pid is None


PARENT = """
import sys, time
from trainable.speech.background.child_process import child_process
from trainable.speech.background.child_main import Request
from trainable.speech.background.recogniser import open_background_recogniser
held = open(sys.argv[1], "w")
assert open_background_recogniser("none", ["one"], "no") is None and child_process().pid is None
child_process().submit(Request("pocketsphinx", ("one two",), "en", ())).result()
print(child_process().pid, flush=True)
time.sleep(600 if sys.argv[2] == "sleeps" else 0)
"""


@pytest.mark.parametrize("ending", ["sleeps", "returns"])
def test_a_child_holds_no_file_and_ends_with_its_parent(tmp_path: Path, ending: str) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "open"), ending]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        child = int(parent.stdout.readline())
        if ending == "sleeps":
            files = [os.readlink(each) for each in Path(f"/proc/{child}/fd").iterdir()]
            assert not [file for file in files if file.startswith(str(tmp_path))]
            parent.kill()
    until(lambda: has_ended(child))


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_tiny_whisper(tmp_path_factory.mktemp("background") / "whisper", " One, two THREE."))


def test_a_recogniser_on_a_gpu_stays_in_this_process(
    whisper: str, waves: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no GPU here: the recogniser only believes so."""
    monkeypatch.setattr("trainable.speech.asr.checkpoint_model.runs_on_gpu", lambda name: True)
    monkeypatch.setattr("trainable.speech.background.recogniser.child_process", None)
    transcripts = open_background_recogniser(whisper, (), "en").submit(waves[1:2])
    assert transcripts.done() and transcripts.result() == ["One, two THREE."]


def test_a_checkpoint_without_a_gpu_is_heard_by_the_child(whisper: str, waves: list[np.ndarray]) -> None:
    assert open_background_recogniser(whisper, (), "en").transcribe(waves[1:2]) == ["One, two THREE."]
