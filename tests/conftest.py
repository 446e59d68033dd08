"""What several test files share."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.support.paths import ROOT
from tests.support.s3_server import serving, uri_of
from tests.support.toy_voice import ToyVoice, make_toy_voice
from trainable.files.cache import VARIABLE

# How long an example takes says something of the machine alone; the examples are the same every time.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

# Read when torch is first imported: models this small lose more to waiting for each other's threads than they gain.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Ray gives its workers a low priority: beside other tests they would hardly run, and be taken for dead.
os.environ.setdefault("RAY_worker_niceness", "0")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The lanes of tests that start a Ray take longest, so they begin first."""
    items.sort(key=lambda item: _ray_lane(item.path) is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, four at most: tests that start a Ray wait half of their time."""
    return min(4, (os.cpu_count() or 1) + 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests of one file stay in one process, and so do all files of a lane."""
    from xdist.scheduler import LoadScopeScheduling

    class Lanes(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return _ray_lane(ROOT / file) or file

    config.option.loadscopereorder = False
    return Lanes(config, log)


@functools.cache
def _ray_lane(file: Path) -> str | None:
    """`session` for files whose tests share the session's Ray, since starting another takes longer than many a test;
    `clusters` for files whose tests start clusters of their own; None for files that start no Ray. More than two Rays
    at once would slow each other down."""
    text = file.read_text(encoding="utf-8")
    if "local_ray" in text:
        return "session"
    return "clusters" if "pytest.mark.ray" in text else None


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests neither read nor fill the cache of whoever runs them; processes that they start inherit it."""
    os.environ[VARIABLE] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def local_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One Ray for all searches of a test session: starting it takes longer than a toy trial."""
    from search.cluster.session import ray_session
    from tests.support.toy_search import toy_plan

    # Workers find the toy families as this process does.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    with ray_session(toy_plan(tmp_path_factory.mktemp("ray"))):
        yield


@pytest.fixture(scope="session")
def whole_search() -> Iterator[Path]:
    """The folder of a whole search, see `tests.support.whole_search`."""
    from tests.support.whole_search import run_whole_search

    folder = Path(tempfile.mkdtemp(prefix="told-", dir="/tmp"))
    try:
        run_whole_search(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> ToyVoice:
    """Eight clips of a toy voice, all of them trained on."""
    return make_toy_voice(tmp_path_factory.mktemp("voice"))


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Address of an empty bucket, as --storage takes it."""
    pytest.importorskip("moto.server", reason="no server of the S3 protocol: moto is not installed")
    with serving("127.0.0.1", 0) as place:
        yield uri_of(place)
