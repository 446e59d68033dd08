"""LoRA dropout whose masks depend on (trial seed, optimizer step, clip, layer, position) alone.

One random number generator for a whole pack would make a trial's masks depend on who sits beside it, and those of a
resumed trial on where it was cut off. So a mask is a hash of what it belongs to: every element of a row has 32 noisy
bits, and a layer multiplies them by an odd number of its own and compares the product with a threshold.
The hash is `lowbias32` (Chris Wellons, "Prospecting for Hash Functions", 2018).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor

TOP = 2**31


def row_keys(parts: Sequence[tuple[int, int, int]], device: torch.device, use: str = "") -> Tensor:
    """(trial seed, step, clip) of each row → [rows] int32. Keys of another `use` have nothing to do with these."""
    keys = [random.Random(f"{seed}/{step}/{clip}{use}").getrandbits(32) - TOP for seed, step, clip in parts]
    return torch.tensor(keys, dtype=torch.int32, device=device)


def layer_factor(name: str) -> int:
    """The odd number of a module, by its name; a signed 32-bit integer."""
    return (random.Random(name).getrandbits(32) | 1) - TOP


def noise(keys: Tensor, positions: Tensor, width: int) -> Tensor:
    """keys: [rows] int32, positions: [rows, length] int64 → [rows, length, width] int32, uniform over all 32 bits."""
    at = _mix(keys[:, None] + positions.to(torch.int32) * _signed(0x9E3779B9))
    channel = torch.arange(width, dtype=torch.int32, device=keys.device) * _signed(0x85EBCA6B)
    return _mix(at[:, :, None] + channel)


def threshold(dropout: Tensor) -> Tensor:
    """Dropout probabilities → the largest product that is kept, int32; everything is at 0."""
    share = ((1 - dropout.double()) * 2**32).round() - TOP - 1
    return share.clamp(-TOP, TOP - 1).to(torch.int32)


def kept(bits: Tensor, factor: int, most: Tensor) -> Tensor:
    """Which elements a layer keeps: bool in the shape of `bits`, by `layer_factor` and `threshold`."""
    return bits * factor <= most


def _mix(x: Tensor) -> Tensor:
    """Every bit of an int32 comes to depend on every other. Overflow wraps around; shifts are made logical."""
    x = x ^ ((x >> 16) & 0xFFFF)
    x = x * _signed(0x7FEB352D)
    x = x ^ ((x >> 15) & 0x1FFFF)
    x = x * _signed(0x846CA68B)
    return x ^ ((x >> 16) & 0xFFFF)


def _signed(bits: int) -> int:
    return bits - 2**32 if bits >= TOP else bits
