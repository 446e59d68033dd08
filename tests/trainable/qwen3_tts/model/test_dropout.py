"""LoRA's dropout masks keep the right share, are independent of each other, and depend only on their own ids."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from trainable.qwen3_tts.model.dropout import keep_mask, layer_factor, noise, row_keys, threshold

CPU = torch.device("cpu")
QUERY, VALUE = "model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.v_proj"
LENGTH, WIDTH = 60, 512


def mask(
    rows: list[tuple[int, int, int]],
    dropout: float = 0.5,
    layer: str = QUERY,
    length: int = LENGTH,
    width: int = WIDTH,
    first: int = 0,
) -> Tensor:
    """[rows, length, width] bool; rows are (seed, step, clip), positions count from `first`."""
    positions = torch.arange(first, first + length).expand(len(rows), length)
    bits = noise(row_keys(rows, CPU), positions, width)
    limit = threshold(torch.tensor([dropout] * len(rows)))[:, None, None]
    return keep_mask(bits, layer_factor(layer), limit)


@pytest.mark.parametrize("layer", [QUERY, VALUE, "code_predictor.model.layers.0.mlp.up_proj"])
@pytest.mark.parametrize("dropout", [0.05, 0.3, 0.9])
def test_the_right_share_is_kept(dropout: float, layer: str) -> None:
    """Five standard deviations of a fair coin: over everything, per row, per position and per channel."""
    rows = mask([(3, 1, clip) for clip in range(20)], dropout, layer)
    for dims in ((0, 1, 2), (1, 2), (0, 2), (0, 1)):
        count = rows.sum(dim=dims, dtype=torch.float64)
        of = math.prod(rows.shape[dim] for dim in dims)
        bound = 5 * math.sqrt(of * dropout * (1 - dropout))
        assert (count - of * (1 - dropout)).abs().max() < bound, dims


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_dropout_everything_is_kept_beside_seats_with_dropout(dtype: torch.dtype) -> None:
    bits = noise(row_keys([(0, 1, 2)] * 3, CPU), torch.arange(500).expand(3, -1), 999)
    limit = threshold(torch.tensor([0.0, 0.5, 0.0], dtype=dtype))[:, None, None]
    for layer in (QUERY, VALUE):
        rows = keep_mask(bits, layer_factor(layer), limit)
        assert rows[0].all() and rows[2].all() and not rows[1].all()


def test_the_threshold_keeps_the_extremes_of_32_bits() -> None:
    bits = torch.tensor([-(2**31), 0, 2**31 - 1], dtype=torch.int32)
    assert (bits <= threshold(torch.tensor(0.0))).tolist() == [True, True, True]
    assert (bits <= threshold(torch.tensor(0.5))).tolist() == [True, False, False]
    assert (bits <= threshold(torch.tensor(1 - 2**-30, dtype=torch.float64))).tolist() == [True, False, False]


ROW = (5, 4, 3)


@pytest.mark.parametrize("dropout", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"rows": [(6, 4, 3)]}, id="seed"),
        pytest.param({"rows": [(5, 5, 3)]}, id="step"),
        pytest.param({"rows": [(5, 4, 2)]}, id="clip"),
        pytest.param({"rows": [(5, 3, 4)]}, id="step and clip exchanged"),
        pytest.param({"layer": VALUE}, id="layer"),
        pytest.param({"layer": QUERY.replace("q_proj", "k_proj")}, id="layer of the same input"),
        pytest.param({"first": 1}, id="position"),
        pytest.param({"first": 16}, id="frame"),
    ],
)
def test_masks_of_different_ids_agree_by_chance_only(other: dict, dropout: float) -> None:
    """Independent masks agree where both keep or both drop; five standard deviations around that."""
    one, two = mask([ROW], dropout), mask(**{"rows": [ROW], "dropout": dropout, **other})
    chance = (1 - dropout) ** 2 + dropout**2
    bound = 5 * math.sqrt(one.numel() * chance * (1 - chance))
    assert abs(int((one == two).sum()) - chance * one.numel()) < bound


def test_neighbouring_channels_agree_by_chance_only() -> None:
    one = mask([ROW])
    for shift in (1, 2, 16, 256):
        agreeing = (one[..., shift:] == one[..., :-shift]).double()
        assert abs(agreeing.mean() - 0.5) < 5 * 0.5 / math.sqrt(agreeing.numel())


@pytest.mark.parametrize(
    "larger",
    [
        pytest.param({"length": LENGTH + 37}, id="padded"),
        pytest.param({"width": WIDTH + 100}, id="beside a wider layer"),
        pytest.param({"rows": [(9, 9, 9), ROW, (5, 4, 2)]}, id="beside other rows"),
    ],
)
def test_a_mask_does_not_depend_on_its_batch(larger: dict) -> None:
    alone = mask([ROW])[0]
    rows = larger.get("rows", [ROW])
    assert torch.equal(mask(**{"rows": [ROW], **larger})[rows.index(ROW), :LENGTH, :WIDTH], alone)
    assert torch.equal(mask([ROW])[0], alone)


def test_masks_are_the_same_in_every_process() -> None:
    """A hash with a salt per process would pass the other tests, so the values are written down."""
    assert layer_factor(QUERY) % 2 == 1
    assert row_keys([ROW], CPU).tolist() == [1198720219]
    assert mask([ROW], length=2, width=8).int()[0].tolist() == [[0, 1, 1, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0, 1, 1]]
