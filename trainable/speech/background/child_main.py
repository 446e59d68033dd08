"""The program of the recogniser's child process: transcribes what its parent sends, one request after the other."""

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.connection import Connection

import numpy as np

from spaces.errors import InputError
from trainable.speech.asr.recogniser import POCKETSPHINX, Recogniser, open_recogniser

PARENT_CHECK_SECONDS = 1.0
MAX_OPEN = 2
"""Recognisers that stay open: a search has one, and its calibration may have another vocabulary."""


@dataclass(frozen=True)
class Request:
    """Recordings, and which recogniser is to hear them."""

    name: str
    texts: tuple[str, ...]
    language: str
    """These three as of `open_recogniser`."""
    recordings: tuple[bytes, ...] | tuple[np.ndarray, ...]
    """For pocketsphinx results of `pocket_sphinx.samples_of`, which needs torch; else [samples] float32 at 24 kHz."""
    threads: int | None = None
    """Of torch; None for pocketsphinx, which does without."""


@dataclass(frozen=True)
class ChildError:
    """Why a request failed."""

    message: str
    is_input: bool
    """Whether it was an InputError. Other exceptions may be of classes that the parent cannot load."""


Reply = list[str] | ChildError


def command(descriptor: int) -> list[str]:
    """The command that starts the child of this process, which finds modules where this process does. `descriptor` is
    the child's end of a pipe."""
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve({descriptor}, {os.getpid()})"
    )
    return [sys.executable, "-c", program]


def serve(descriptor: int, parent: int) -> None:
    """Answers each request with its `Reply` until the parent closes the pipe or ends."""
    # Ctrl-C reaches the whole process group, and the parent decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    connection = Connection(descriptor)
    while True:
        try:
            connection.send(_reply(connection.recv()))
        except (EOFError, OSError):
            return


def _end_with(parent: int) -> None:
    """Ends this process when the parent is gone: a process that the parent forked may hold the pipe open."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os._exit(1)


def _reply(request: Request) -> Reply:
    try:
        return _transcribe(request)
    except InputError as error:
        return ChildError(str(error), is_input=True)
    except Exception as error:
        # It may have been left in the middle of a recording.
        _open.cache_clear()
        return ChildError(f"{type(error).__name__}: {error}", is_input=False)


def _transcribe(request: Request) -> list[str]:
    recogniser = _open(request.name, request.texts, request.language, request.threads)
    if request.name == POCKETSPHINX:
        return recogniser.decode(request.recordings)  # type: ignore[attr-defined]
    return recogniser.transcribe(request.recordings)  # type: ignore[arg-type]


@lru_cache(maxsize=MAX_OPEN)
def _open(name: str, texts: Sequence[str], language: str, threads: int | None) -> Recogniser:
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    recogniser = open_recogniser(name, texts, language)
    assert recogniser is not None, "the parent starts no child for none"
    return recogniser
