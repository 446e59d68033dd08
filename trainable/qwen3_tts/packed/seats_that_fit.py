"""Measures how many seats fit into memory, by training one."""

import torch
from torch import Tensor

from spaces.qwen3_tts import Objective, QwenDraw, QwenPackShape
from trainable.dataset.split import Role
from trainable.family.protocol import Batch, SeatLimit
from trainable.qwen3_tts.packed.pack import QwenPack

MARGIN = 1.5
"""Factor over the activations saved for the backward pass, for gradients in flight and temporary tensors."""
GPU_SHARE = 0.9
"""Share of a GPU's free memory that seats may take. The rest is for fragmentation and for speaking."""


def seats_that_fit(pack: QwenPack, shape: QwenPackShape, limit: SeatLimit) -> int:
    """Returns at least 1 and at most `limit.max_seats`. The pack needs one free seat and gets it back."""
    if limit.exact or limit.max_seats == 1:
        return limit.max_seats
    memory = limit.memory
    if memory is None:
        memory = GPU_SHARE * (torch.cuda.mem_get_info(pack.device)[0] - limit.reserved)
    else:
        memory -= pack.base_bytes + limit.reserved
    return max(1, min(limit.max_seats, int(memory // seat_bytes(pack, shape))))


def seat_bytes(pack: QwenPack, shape: QwenPackShape) -> float:
    """Bytes that a seat of this shape takes: its rows of the flat buffers, and one pass over the longest clips."""
    entries = pack.split.entries
    used = [clip for clip, entry in enumerate(entries) if entry.role is not Role.SPARE]
    longest = sorted(used, key=lambda clip: entries[clip].seconds)[-shape.batch :]
    pack.join(0, _largest_draw(shape), seed=0)
    saved: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        pack.accumulate({0: Batch(longest, step=1, weight=1.0)})
    pack.leave(0)
    resident = {tensor.untyped_storage().data_ptr() for tensor in pack.resident()}
    activations = sum(size for address, size in saved.items() if address not in resident)
    return pack.row_bytes + MARGIN * activations


def _largest_draw(shape: QwenPackShape) -> QwenDraw:
    """Returns a draw that fills a seat of this shape."""
    return QwenDraw(
        objective=Objective.ALIGNED,
        rank=shape.rank,
        alpha_ratio=1,
        lora_lr=1e-6,
        text_projection_lr=1e-6 if shape.text_projection else 0,
        epochs=1,
        targets="|".join(shape.targets),
        batch=shape.batch,
    )
