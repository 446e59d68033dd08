"""The processes that train one pack together, each on its share of the clips."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

Shared = TypeVar("Shared")


class ProcessGroup:
    """One process alone, or the members of torch's process group. The first member decides and writes."""

    def __init__(self) -> None:
        together = dist.is_available() and dist.is_initialized()
        self.size = dist.get_world_size() if together else 1
        self.rank = dist.get_rank() if together else 0

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def sum_(self, tensor: Tensor) -> Tensor:
        """Adds the members' tensors in place, on every member. tensor: contiguous, on the members' device."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def share(self, value: Shared) -> Shared:
        """The first member's value, on every member."""
        if self.size == 1:
            return value
        held: list[Any] = [value]
        dist.broadcast_object_list(held, src=0, device=self._device())
        return held[0]

    def wait(self) -> None:
        """Until every member is here."""
        if self.size > 1:
            dist.barrier()

    def _device(self) -> torch.device | None:
        return torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else None
