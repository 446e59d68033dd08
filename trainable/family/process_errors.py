"""Tells errors that concern the whole process from those of one trial."""

import torch


def is_out_of_memory(error: BaseException) -> bool:
    """Whether fewer or smaller seats would help. On a CPU torch raises no error of its own for lack of memory."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)


def is_device_lost(error: BaseException) -> bool:
    """Whether the GPU has failed a call: every later call of this process fails too."""
    return isinstance(error, torch.AcceleratorError)
