"""Telling failures that concern a whole process from those of one trial."""

from __future__ import annotations

import torch


def is_out_of_memory(error: BaseException) -> bool:
    """Whether fewer seats, or smaller ones, would help. On a CPU torch has no error of its own for it."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)


def is_device_lost(error: BaseException) -> bool:
    """Whether the GPU has failed a call: nothing that this process still asks of it will be done, whoever asks."""
    return isinstance(error, torch.AcceleratorError)
