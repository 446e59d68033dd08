"""LoRA dropout whose masks depend only on (trial seed, optimizer step, clip, layer, position).

With one random number generator for a whole pack, a trial's masks would depend on the trials beside it, and those of a
resumed trial on where it was interrupted. So a mask is a hash of what it belongs to: every element of a row has 32
random bits; a layer multiplies them by an odd number of its own and compares the product with a threshold.
The hash is `lowbias32` (Chris Wellons, "Prospecting for Hash Functions", 2018).
"""

import random
from collections.abc import Sequence

import torch
from torch import Tensor

RowId = tuple[int, int, int]
"""Trial seed, optimizer step and clip of one row of a batch."""
SIGN_BIT = 2**31


def row_keys(rows: Sequence[RowId], device: torch.device, purpose: str = "") -> Tensor:
    """Hashes each row's id → [rows] int32. Keys for different purposes are independent."""
    keys = [random.Random(f"{seed}/{step}/{clip}{purpose}").getrandbits(32) - SIGN_BIT for seed, step, clip in rows]
    return torch.tensor(keys, dtype=torch.int32, device=device)


def layer_factor(name: str) -> int:
    """Returns the odd number of a module with that name, a signed 32-bit integer."""
    return (random.Random(name).getrandbits(32) | 1) - SIGN_BIT


def noise(keys: Tensor, positions: Tensor, width: int) -> Tensor:
    """keys: [rows] int32, positions: [rows, length] int64 → [rows, length, width] int32, uniform over all 32 bits."""
    at = _mix(keys[:, None] + positions.to(torch.int32) * _signed(0x9E3779B9))
    channel = torch.arange(width, dtype=torch.int32, device=keys.device) * _signed(0x85EBCA6B)
    return _mix(at[:, :, None] + channel)


def threshold(dropout: Tensor) -> Tensor:
    """Dropout probabilities → the largest product that is kept, int32 in the same shape; probability 0 keeps all."""
    share = ((1 - dropout.double()) * 2**32).round() - SIGN_BIT - 1
    return share.clamp(-SIGN_BIT, SIGN_BIT - 1).to(torch.int32)


def keep_mask(bits: Tensor, factor: int, limit: Tensor) -> Tensor:
    """The elements that a layer keeps, bool in the shape of `bits`; `factor` is `layer_factor`, `limit` `threshold`."""
    return bits * factor <= limit


def _mix(x: Tensor) -> Tensor:
    """Makes every bit of an int32 depend on every other. Overflow wraps around; the masks make the shifts logical."""
    x = x ^ ((x >> 16) & 0xFFFF)
    x = x * _signed(0x7FEB352D)
    x = x ^ ((x >> 15) & 0x1FFFF)
    x = x * _signed(0x846CA68B)
    return x ^ ((x >> 16) & 0xFFFF)


def _signed(bits: int) -> int:
    return bits - 2**32 if bits >= SIGN_BIT else bits
