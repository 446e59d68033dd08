"""How many seats the memory holds, found out by training one."""

from __future__ import annotations

import torch
from torch import Tensor

from spaces.draw import Draw, Objective
from spaces.records.pack_shape import PackShape
from trainable.dataset.split import Role
from trainable.family.protocol import Batch, SeatLimit
from trainable.qwen3_tts.packed.pack import QwenPack

MARGIN = 1.5
"""Over what one pass keeps for its backward pass: gradients on the way, products that live for a moment."""
GPU_SHARE = 0.9
"""Of a GPU's free memory; the rest is for fragments and for speaking."""


def seats_that_fit(pack: QwenPack, shape: PackShape, wanted: SeatLimit) -> int:
    """At least 1, at most `wanted.max_seats`. The pack has one free seat and keeps it."""
    if wanted.exact or wanted.max_seats == 1:
        return wanted.max_seats
    memory = wanted.memory
    if memory is None:
        memory = GPU_SHARE * torch.cuda.mem_get_info(pack.device)[0]
    else:
        memory -= pack.base_bytes
    return max(1, min(wanted.max_seats, int(memory // seat_bytes(pack, shape))))


def seat_bytes(pack: QwenPack, shape: PackShape) -> float:
    """What a seat of this shape takes: its rows of the flat buffers, and one pass over the longest clips."""
    entries = pack.split.entries
    passed = [clip for clip, entry in enumerate(entries) if entry.role is not Role.SPARE]
    longest = sorted(passed, key=lambda clip: entries[clip].seconds)[-shape.batch :]
    pack.join(0, _largest(shape), seed=0)
    kept: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        pack.accumulate({0: Batch(longest, step=1, weight=1.0)})
    pack.leave(0)
    own = {tensor.untyped_storage().data_ptr() for tensor in pack.resident()}
    activations = sum(size for address, size in kept.items() if address not in own)
    return pack.row_bytes + MARGIN * activations


def _largest(shape: PackShape) -> Draw:
    """A draw that leaves no room of its seat empty."""
    return Draw(
        objective=Objective.ALIGNED,
        rank=shape.rank,
        alpha_ratio=1,
        lora_lr=1e-6,
        text_projection_lr=1e-6 if shape.text_projection else 0,
        epochs=1,
        targets="|".join(shape.targets),
        batch=shape.batch,
    )
