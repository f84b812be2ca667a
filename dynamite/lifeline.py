"""A process that dies with its parent, so that killing the launcher leaves nothing behind."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, signal_number: int = signal.SIGKILL) -> None:
    """Ask the kernel to end this process when its parent ends (Linux; elsewhere nothing).

    ``parent`` is the process id the caller expects: if that parent is gone already, no signal
    would ever come, so this process ends at once.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal_number)
