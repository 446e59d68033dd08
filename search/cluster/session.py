"""Starts or joins Ray for one search, and keeps its output off the terminal."""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from search.cluster.nodes import alive_nodes, total_resources
from search.planning.plan import LOCAL, Plan
from search.planning.resources import Resources
from spaces.errors import InputError

OBJECT_STORE_BYTES = 200 * 2**20
"""Nothing large passes through Ray: a trial's spec takes a few kilobytes, weights and audio are files."""
POLL_SECONDS = 0.2
"""Of Ray Train's health checks; its default of 2 s would be most of a short trial."""
SETTINGS = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": str(POLL_SECONDS),
    "RAY_USAGE_STATS_ENABLED": "0",
    # Results are JSON strings in a ledger of ours; Tune's own loggers and its metric check know nothing of them.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    # The searcher says itself how many trials there is room for; none of them waits for another one's process to start.
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",
    # The ledger is the record. Tune would write all trials anew every few seconds, for a restore that never happens.
    "TUNE_GLOBAL_CHECKPOINT_S": "1e9",
    # Ctrl-C is the search's own: it lets running trials end in good order.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # The older of Tune's two reporters can be silenced; the newer prints its banner whatever the verbosity.
    "RAY_AIR_NEW_OUTPUT": "0",
}
LOCAL_SETTINGS = {
    # One machine is never taken away node by node; its watcher would be one more process per trial.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
}
ERROR_LISTENER = "ray_listen_error_messages"
"""Ray's thread that prints other processes' errors on standard output, `log_to_driver` or not."""


@contextlib.contextmanager
def ray_session(plan: Plan) -> Iterator[Resources]:
    """Starts a local Ray, or joins the plan's cluster; yields its resources.

    A Ray that this process has already started is used and left running. Raises InputError when no cluster answers.
    """
    environment = {**SETTINGS, **(LOCAL_SETTINGS if plan.address == LOCAL else {}), **_offline(plan)}
    os.environ.update(environment)
    import ray

    _silence_loggers()
    _keep_aws_keys_here()
    is_ours = not ray.is_initialized()
    if is_ours:
        _start(plan.address, environment)
    plan.run.ray.mkdir(parents=True, exist_ok=True)
    with _error_listener_to_file(plan.run.ray / "messages.log") as log:
        try:
            yield total_resources(alive_nodes())
        finally:
            if is_ours:
                # The shutdown prints the remaining errors of other processes.
                with contextlib.redirect_stdout(log):
                    ray.shutdown()


def _start(address: str, environment: dict[str, str]) -> None:
    import ray

    common: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if address != LOCAL:
        try:
            ray.init(address=address, runtime_env={"env_vars": environment}, **common)
        except RuntimeError as error:
            if "ersion mismatch" not in str(error):
                raise
            raise InputError(f"{address}: {_on_one_line(error)}; install the same Ray and Python on both") from None
        except (ConnectionError, ValueError) as error:
            token = ", it asks for a token (set RAY_AUTH_MODE=token)" if "InvalidAuthToken" in _messages(error) else ""
            raise InputError(
                f"{address}: no Ray could be joined{token}; start one with `ray start --head`, or give --address local"
            ) from None
        return
    # The dashboard stays on: without it Ray Train cannot see that a stopped trial is gone, and keeps its CPUs.
    ray.init(
        address=LOCAL,
        include_dashboard=True,
        dashboard_host="127.0.0.1",
        object_store_memory=OBJECT_STORE_BYTES,
        **common,
    )


def _on_one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _messages(error: BaseException | None) -> str:
    """The messages of an error and of its causes."""
    return f"{error} {_messages(error.__cause__ or error.__context__)}" if error else ""


def _offline(plan: Plan) -> dict[str, str]:
    """Keeps libraries from the network where the model is a folder: nothing has to be downloaded."""
    return {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"} if Path(plan.model).is_dir() else {}


def _silence_loggers() -> None:
    import optuna

    for name in ("ray", "ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _keep_aws_keys_here() -> None:
    """Keeps Ray Tune from passing the driver's AWS keys to trials as a runtime environment, which Ray logs and shows on
    its dashboard. A node has keys of its own, or those that its Ray was started with."""
    from ray.tune.execution import class_cache

    kept = {name for name in class_cache.ENV_VARS_TO_PROPAGATE if not name.startswith("AWS_")}
    class_cache.ENV_VARS_TO_PROPAGATE = kept


@contextlib.contextmanager
def _error_listener_to_file(log: Path) -> Iterator[TextIO]:
    """Sends the prints of Ray's error listener to a file, which it yields. An error of a trial is in its outcome."""
    with log.open("a", encoding="utf-8") as file, contextlib.redirect_stdout(_StdoutFilter(sys.stdout, file)):
        yield file


class _StdoutFilter:
    """Standard output, except for the error listener's thread, whose output goes to a file."""

    def __init__(self, stdout: TextIO, file: TextIO) -> None:
        self._stdout, self._file = stdout, file

    def write(self, text: str) -> int:
        return self._target().write(text)

    def flush(self) -> None:
        self._target().flush()

    def _target(self) -> TextIO:
        return self._file if threading.current_thread().name == ERROR_LISTENER else self._stdout

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stdout, name)
