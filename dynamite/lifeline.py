"""Ties a process to its parent, so that killing the launcher leaves no process behind."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, signal_number: int = signal.SIGKILL) -> None:
    """Ask the kernel to end this process when its parent ends. Does nothing except on Linux.

    Args:
        parent: process id of the expected parent. If it has ended already, the kernel would never
            send the signal, so this process ends at once.
        signal_number: the signal to send.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal_number)
