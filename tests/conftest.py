"""What several test files share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from spaces.families import FAMILIES, FamilyEntry
from tests.support.paths import ROOT
from tests.support.s3_server import serving, uri_of
from tests.support.toy_voice import ToyVoice, make_toy_voice
from trainable.files.cache import VARIABLE

# How long an example takes says something of the machine alone; the examples are the same every time.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

# Read when torch is first imported: models this small lose more to waiting for each other's threads than they gain.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one file stay in one process. Those that start a Ray share one lane, which begins first: two Rays would
    slow each other down, and starting another takes longer than many a test."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group("ray" if _needs_ray(item) else str(item.path.relative_to(ROOT))))
    items.sort(key=lambda item: not _needs_ray(item))


def _needs_ray(item: pytest.Item) -> bool:
    return "local_ray" in getattr(item, "fixturenames", ()) or item.get_closest_marker("ray") is not None


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


@pytest.fixture(scope="module")
def known_toy() -> Iterator[None]:
    """The toy family is one of those that a run or an adapter may name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FAMILIES, "toy", FamilyEntry("tests.support.toy_family"))
        yield


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
