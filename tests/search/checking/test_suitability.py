"""Warnings about a space and a dataset that do not suit each other."""

from __future__ import annotations

import dataclasses

import pytest

from search.checking.suitability import check_suitability
from spaces.space import Space, load_space
from tests.support.measured_clips import dataset, varied
from trainable.dataset.encoding_plan import plan_encoding
from trainable.dataset.finding import Severity, errors


def found(clips: int, language: str | None = None, sources: int = 1, said: str = "auto", **draw) -> list[str]:
    """Names of the checks that warn of a dataset of `clips` clips and the voice space with these domains."""
    space = load_space("voice")
    space = type(space).model_validate({**space.model_dump(), "draw": {**space.model_dump()["draw"], **draw}})
    space = space.model_copy(update={"probe": space.probe.model_copy(update={"language": said})})
    marked = [
        dataclasses.replace(each, source=index % sources, language=language) for index, each in enumerate(varied(clips))
    ]
    voice = dataset(*marked, names=tuple(f"source {index}" for index in range(sources)), weights=(1.0,) * sources)
    findings = check_suitability(space, voice, plan_encoding(voice, space.data, 1).split)
    assert {finding.severity for finding in findings} <= {Severity.WARNING}
    return [finding.check for finding in findings]


@pytest.mark.parametrize(
    ("clips", "fewest_epochs", "warned"),
    [(60, 3, False), (60, 11, False), (60, 12, True), (120, 5, False), (120, 6, True), (1000, 6, False)],
)
def test_more_passes_than_the_guide_recommends_are_warned_of(clips: int, fewest_epochs: int, warned: bool) -> None:
    assert ("exposure" in found(clips, epochs={"low": fewest_epochs, "high": 40})) is warned


@pytest.mark.parametrize(
    ("warmup", "epochs", "refused"),
    [(300, 5, True), (75, 5, True), (74, 5, False), ({"low": 0, "high": 300}, 5, True), (0.5, 5, False), (0, 1, False)],
)
def test_a_warm_up_that_is_no_shorter_than_a_run_is_refused(warmup: object, epochs: int, refused: bool) -> None:
    """Of 60 clips, four per step: 15 steps per epoch."""
    data = load_space("voice").model_dump()
    space = Space.model_validate({**data, "draw": {**data["draw"], "warmup": warmup, "epochs": epochs}})
    voice = dataset(*varied(67))
    split = plan_encoding(voice, space.data, 1).split
    assert split.epoch_size == 60
    found = errors(check_suitability(space, voice, split))
    assert len(found) == refused
    assert all("steps is no shorter than a run of 75 steps" in str(each) for each in found)


@pytest.mark.parametrize(("language", "warned"), [(None, False), ("Auto", False), ("norwegian", True)])
def test_clips_in_another_language_are_warned_of(language: str | None, warned: bool) -> None:
    assert ("language" in found(20, language=language)) is warned


def test_a_language_that_was_said_is_not_warned_of() -> None:
    """The model may not know it: then it trains with auto."""
    assert "language" not in found(20, language="norwegian", said="no")
    assert "language" in found(20, language="norwegian", said="de")


def test_a_curriculum_by_source_needs_several_sources() -> None:
    assert found(20, curriculum="source") == ["curriculum"]
    assert found(20, curriculum="source", sources=2) == []
    assert found(20, curriculum="length") == []
