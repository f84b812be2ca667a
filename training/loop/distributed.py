"""The processes that train one model: started by torchrun on one or several hosts, or just one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from dynamite.devices import usable_device

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Processes:
    """This process among all processes of a run."""

    rank: int = 0
    count: int = 1
    device: torch.device = _CPU

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0

    def share(self, samples: int) -> slice:
        """Return this process's part of a global batch; all parts have the same size."""
        size = samples // self.count
        return slice(self.rank * size, (self.rank + 1) * size)

    def mean(self, value: Tensor) -> Tensor:
        """Return the mean of ``value`` over all processes."""
        if self.count == 1:
            return value
        total = value.clone()
        distributed.all_reduce(total)
        return total / self.count

    def maximum(self, value: int) -> int:
        """Return the largest ``value`` of all processes."""
        if self.count == 1:
            return value
        tensor = torch.tensor(value, device=self.device)
        distributed.all_reduce(tensor, distributed.ReduceOp.MAX)
        return int(tensor)

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def join(device: str | None = None) -> Iterator[Processes]:
    """Join the processes that torchrun started: nccl on GPUs, gloo on CPUs.

    ``device`` None takes the GPU of this process's local rank, or the CPU if there is no GPU.

    Raises:
        InvalidInputError: there is no such device.
    """
    wanted = device or ("cuda" if torch.cuda.is_available() else "cpu")
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if wanted == "cuda":
        wanted = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    here = usable_device(wanted)
    if here.type == "cuda":
        torch.cuda.set_device(here)
    if count == 1:
        yield Processes(device=here)
        return
    distributed.init_process_group("nccl" if here.type == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), count, here)
    finally:
        distributed.destroy_process_group()
