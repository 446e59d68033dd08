"""Sampling settings: fields without effect are refused, and a dump reads back."""

from __future__ import annotations

from pathlib import Path

import pytest

from spaces.errors import InputError
from spaces.probe_settings import ProbeSettings, Sampling
from spaces.space import FOLDER, load_space


@pytest.mark.parametrize(
    ("also", "message"),
    [
        ("temperature = 0.5", "probe.sampling: greedy ignores temperature: remove it"),
        ("temperature = 0.9, subtalker_top_k = 3", "greedy ignores temperature, subtalker_top_k: remove them"),
    ],
)
def test_greedy_refuses_what_it_ignores(tmp_path: Path, also: str, message: str) -> None:
    demo = (FOLDER / "demo.toml").read_text()
    usual = "{ temperature = 0.5, subtalker_temperature = 0.5 }"
    assert usual in demo
    space = tmp_path / "mine.toml"
    space.write_text(demo.replace(usual, f"{{ greedy = true, {also} }}"))
    with pytest.raises(InputError, match=message):
        load_space(str(space))
    space.write_text(demo.replace(usual, "{ greedy = true, repetition_penalty = 1.2 }"))
    assert load_space(str(space)).probe.sampling == Sampling(greedy=True, repetition_penalty=1.2)


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=0.5, top_k=7), Sampling(greedy=True)])
def test_sampling_reads_back_from_its_own_dump(sampling: Sampling) -> None:
    settings = ProbeSettings(lines="digits", recogniser="none", sampling=sampling)
    assert ProbeSettings.model_validate(settings.model_dump(mode="json")) == settings
    assert Sampling.model_validate_json(sampling.model_dump_json()) == sampling
    assert ("temperature" in sampling.model_dump()) is not sampling.greedy
