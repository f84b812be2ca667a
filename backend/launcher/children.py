"""Child processes: started with a lifeline to this one, stopped with all their descendants."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dynamite.lifeline import die_with_parent

PATIENCE = 10.0
"""Seconds a child may take to end by itself."""

FEW_DEATHS, WITHIN = 5, 60.0
"""A child that dies more often than this, within so many seconds, is not started again."""


@dataclass
class Child:
    """One supervised process, leader of a session of its own.

    A session of its own keeps the terminal's Ctrl-C from it: the launcher decides the order in
    which things stop. ``lifeline`` is the signal it gets when the launcher dies, ``output`` a file
    for what it prints, which otherwise goes where ours goes.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    lifeline: signal.Signals = signal.SIGKILL
    output: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Start the process."""
        parent = os.getpid()
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(self.output.open("ab")) if self.output else None
            self.process = subprocess.Popen(  # noqa: S603
                self.command,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT if file else None,
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(parent, self.lifeline),  # noqa: PLW1509
            )

    @property
    def status(self) -> int | None:
        """The exit status, None while the process runs."""
        return self.process.poll() if self.process else None

    def restart(self, now: float) -> bool:
        """Start it again unless it dies too often; says whether it did."""
        self.deaths = [death for death in self.deaths if now - death < WITHIN] + [now]
        if len(self.deaths) > FEW_DEATHS:
            return False
        self.start()
        return True

    def stop(self) -> None:
        """Ask it to end, wait, then end it and everything it started."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Supervisor:
    """Starts children in order, restarts the ones that die, stops all in reverse order."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self.stopping = False

    def add(self, child: Child) -> Child:
        """Start ``child`` and look after it from now on."""
        child.start()
        self.children.append(child)
        return child

    def watch(self, announce: object = print, poll: float = 0.2) -> Child | None:
        """Look after the children until told to stop; returns the one that cannot be kept alive."""
        while not self.stopping:
            for child in self.children:
                status = child.status
                if status is None or self.stopping:
                    continue
                if not child.restart(time.monotonic()):
                    return child
                if callable(announce):
                    announce(f"{child.name} ended with status {status}; started again")
            time.sleep(poll)
        return None

    def stop(self) -> None:
        """Stop everything, the last started first."""
        self.stopping = True
        for child in reversed(self.children):
            child.stop()
        self.children.clear()
