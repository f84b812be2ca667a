"""Gives free memory back to the system."""

import ctypes

ALL_ARENAS = 4096
"""jemalloc's number for all of its arenas."""


def give_back() -> None:
    """Give free memory of the allocator back: jemalloc's or glibc's; with others nothing happens.

    The allocator keeps what large images needed: the launcher tells it so, because it makes the
    model faster.
    """
    process = ctypes.CDLL(None)
    control, trim = (getattr(process, name, None) for name in ("mallctl", "malloc_trim"))
    if control is not None:
        control(f"arena.{ALL_ARENAS}.purge".encode(), None, None, None, ctypes.c_size_t(0))
    elif trim is not None:
        trim(0)
