"""The processes that train one pack together, each on its share of the clips."""

from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

Value = TypeVar("Value")


class ProcessGroup:
    """A process on its own, or the processes of torch's default group. The main process decides and writes files."""

    def __init__(self) -> None:
        is_distributed = dist.is_available() and dist.is_initialized()
        self.size = dist.get_world_size() if is_distributed else 1
        self.rank = dist.get_rank() if is_distributed else 0

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def all_reduce_(self, tensor: Tensor) -> Tensor:
        """Sums the tensor over the processes, in place on each. tensor: contiguous, on the process's device."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def broadcast(self, value: Value) -> Value:
        """Returns the main process's value on every process."""
        if self.size == 1:
            return value
        values: list[Any] = [value]
        dist.broadcast_object_list(values, src=0, device=self._device())
        return values[0]

    def barrier(self) -> None:
        """Waits until every process has called this."""
        if self.size > 1:
            dist.barrier()

    def _device(self) -> torch.device | None:
        return torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else None
