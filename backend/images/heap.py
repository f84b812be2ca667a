"""Gives free memory back to the system."""

import ctypes


def give_back() -> None:
    """Give free memory of the allocator back; nothing happens where it is not glibc's.

    The allocator keeps what large images needed: the launcher tells it so, because it makes the
    model faster.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
