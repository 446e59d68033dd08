"""The child process in which recognisers of this process compute: started when it is needed, and again when it died."""

import os
import signal
import subprocess
import threading
from concurrent.futures import Future
from functools import lru_cache
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from queue import SimpleQueue

from spaces.errors import InputError
from trainable.speech.background.child_main import ChildError, Reply, Request, command

ATTEMPTS = 2
"""At one request: a child that was killed is started again once."""


class ChildProcess:
    """Not a process of `multiprocessing`, which would import the parent's main module: in a worker of Ray, Ray itself.

    It has this process's priority, holds none of its files, sees no GPU, and ends when this process ends.
    """

    def __init__(self) -> None:
        self._requests: SimpleQueue[tuple[Request, Future[list[str]]]] = SimpleQueue()
        self._process: subprocess.Popen | None = None
        self._connection: Connection | None = None
        # Not an executor, whose threads Python waits for when it exits.
        threading.Thread(target=self._work, name="recogniser", daemon=True).start()

    @property
    def pid(self) -> int | None:
        """None while no child runs."""
        return self._process.pid if self._process else None

    def submit(self, request: Request) -> Future[list[str]]:
        """Transcribes after the requests before it. The future raises what the recogniser raised: an InputError, else a
        RuntimeError; and InputError where the child died twice."""
        future: Future[list[str]] = Future()
        self._requests.put((request, future))
        return future

    def _work(self) -> None:
        while True:
            request, future = self._requests.get()
            try:
                future.set_result(self._transcribe(request))
            except Exception as error:
                future.set_exception(error)

    def _transcribe(self, request: Request) -> list[str]:
        for _ in range(ATTEMPTS):
            try:
                reply = self._exchange(request)
            except (EOFError, OSError):
                reason = self._stop()
                continue
            if isinstance(reply, ChildError):
                raise (InputError if reply.is_input else RuntimeError)(reply.message)
            return reply
        raise InputError(
            f"recogniser {request.name}: its process ended twice while it transcribed {len(request.recordings)} "
            f"recordings ({reason}); free main memory, or name a smaller recogniser"
        )

    def _exchange(self, request: Request) -> Reply:
        if self._connection is None:
            self._start()
        assert self._connection is not None
        self._connection.send(request)
        return self._connection.recv()

    def _start(self) -> None:
        self._connection, far_end = Pipe()
        with far_end:
            self._process = subprocess.Popen(
                command(far_end.fileno()),
                pass_fds=[far_end.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
            )

    def _stop(self) -> str:
        """Ends what is left of the child; returns how it ended."""
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if connection is not None:
            connection.close()
        if process is None:
            return "it could not be started"
        status = process.wait()
        return f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"


@lru_cache(maxsize=1)
def child_process() -> ChildProcess:
    """The one child of this process."""
    return ChildProcess()
