"""What is told about the bands before the first trial."""

from __future__ import annotations

import pytest

from search.console.bands import band_lines
from spaces.space import Space, load_space


def space(band: object) -> Space:
    """The demo's space, which searches the aligned objective alone, with this band."""
    data = load_space("demo").model_dump(mode="json")
    return Space.model_validate({**data, "objective": {"aligned": {**data["objective"]["aligned"], "band": band}}})


@pytest.mark.parametrize(
    ("band", "told", "remedy"),
    [
        ([0.9, 1.3], "aligned 0.9–1.3; the base model's aligned loss of 2.000 lies above it", False),
        ([3, 5], "aligned 3–5, which lies above where the voice begins: the base model's aligned loss of 2.000", True),
        ([1.5, 2.5], "aligned 1.5–2.5, in which the voice begins: the base model's aligned loss of 2.000", True),
        (
            {"of_base": [0.5, 0.9]},
            "aligned 1–1.8, shares 0.5–0.9 of the base model's aligned loss of 2.000; it moves",
            False,
        ),
        ({"auto_within": [0.9, 1.3]}, "moves within 0.9–1.3 to where adapters are accepted", False),
        ({"auto_within": [4.5, 7.9]}, "4.5–7.9, which lies above where the voice begins: the base model's", True),
        ({"low": 0.9, "high": 1.3, "or_of_base": [0.5, 0.9]}, "aligned 0.9–1.3; the base model's", False),
        ({"low": 4.1, "high": 4.2, "or_of_base": [0.5, 0.9]}, "1–1.8, shares 0.5–0.9 of the base model's", False),
        ({"low": 4.1, "high": 4.2, "or_of_base": [0.5, 0.9]}, "in place of 4.1–4.2, which lies above", False),
    ],
)
def test_a_band_is_told_with_the_base_models_loss(band: object, told: str, remedy: bool) -> None:
    [line] = band_lines(space(band), {"aligned": 2.0, "guide": 5.0})
    assert told in line
    assert ("write band = { of_base" in line) is remedy


@pytest.mark.parametrize(("band", "losses"), [("none", {"aligned": 2.0}), ([3, 5], {}), ({"of_base": [0.5, 0.9]}, {})])
def test_without_a_band_or_a_loss_nothing_is_told(band: object, losses: dict[str, float]) -> None:
    assert band_lines(space(band), losses) == []
