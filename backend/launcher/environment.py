"""What must be set before a process that runs the model starts: allocator and threads.

Measured on a convolutional backbone at 1024²: with glibc's defaults every pass maps and unmaps
about 0.8 GB and spends half its time in page faults; with these settings it does not.

Measured on two cores, one of them kept busy by a training: with OpenMP's default a thread waits
awake for some milliseconds, hundreds of times in a click, while the one that it waits for wants its
core. A click takes 2 s in place of 18 ms; with this setting 50 ms, and when nobody else is there no
longer than with the default (docs/benchmarks.md).
"""

import os
from collections.abc import Mapping

ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",  # large blocks come from the heap, which keeps its pages
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "MALLOC_TOP_PAD_": str(64 * 1024**2),
    "MALLOC_ARENA_MAX": "1",  # the model's thread would otherwise get an arena of small heaps
}

WAITING = {"GOMP_SPINCOUNT": "1000"}  # some microseconds awake, then asleep: 300000 unless told


def model_environment(torch_threads: int, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for a process that runs the model; what the user set already stays.

    ``torch_threads`` 0 means one per usable core.
    """
    threads = {"OMP_NUM_THREADS": str(torch_threads or usable_cores())}
    if "OMP_WAIT_POLICY" not in base:  # which says the same in words, and would not be heard
        threads |= WAITING
    return {**threads, **ALLOCATOR, **base}


def usable_cores() -> int:
    """Cores this process may use; fewer than the machine has inside a container."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1
