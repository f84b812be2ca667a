"""Environment variables of a process that runs the model: allocator and threads.

Allocator, measured on a convolutional backbone at 1024²: with glibc's defaults every pass maps and
unmaps about 0.8 GB and spends half its time in page faults; with these settings it does not. But
what is kept of glibc's heap falls to pieces over thousands of clicks, and grows. jemalloc is as
fast, hardly grows and needs less, so it is taken where the system has it (docs/benchmarks.md).

Threads, measured on two cores with one kept busy by a training: by default an OpenMP thread spins
for some milliseconds, hundreds of times per click, on the core that the awaited thread needs. A
click then takes 2 s instead of 18 ms; with this setting it takes 50 ms, and on idle cores no longer
than by default (docs/benchmarks.md).
"""

import os
from collections.abc import Callable, Mapping
from ctypes.util import find_library

GLIBC = {
    "MALLOC_MMAP_MAX_": "0",  # allocate large blocks on the heap, which keeps its pages
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "MALLOC_TOP_PAD_": str(64 * 1024**2),
    "MALLOC_ARENA_MAX": "1",  # otherwise the device thread gets an arena of small heaps
}

JEMALLOC = {"MALLOC_CONF": "dirty_decay_ms:-1,muzzy_decay_ms:-1"}  # keep pages, as above

SPINNING = {"GOMP_SPINCOUNT": "1000"}  # spin for some microseconds, then sleep; default 300000


def model_environment(
    torch_threads: int,
    base: Mapping[str, str] = os.environ,
    find: Callable[[str], str | None] = find_library,
) -> dict[str, str]:
    """Return the environment of a process that runs the model; variables set in ``base`` win.

    ``torch_threads`` 0 means one per usable core; ``find`` finds a library of the system by name.
    """
    threads = {"OMP_NUM_THREADS": str(torch_threads or usable_cores())}
    if "OMP_WAIT_POLICY" not in base:  # GOMP_SPINCOUNT would override it
        threads |= SPINNING
    return {**threads, **_allocator(base, find), **base}


def _allocator(base: Mapping[str, str], find: Callable[[str], str | None]) -> dict[str, str]:
    """Return what sets the allocator; one that the user preloads is left as it is."""
    library = None if "LD_PRELOAD" in base else find("jemalloc")
    return GLIBC if library is None else {"LD_PRELOAD": library, **JEMALLOC}


def calm_threads() -> None:
    """Keep this process's threads from spinning; call it before torch is imported.

    For commands that run the model themselves: on a busy machine encoding takes a tenth of the
    time.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        for name, value in SPINNING.items():
            os.environ.setdefault(name, value)


def usable_cores() -> int:
    """Return how many cores this process may use; a container may have fewer than the machine."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1
