"""Child processes: started with a lifeline to this one, stopped with all their descendants."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dynamite.lifeline import die_with_parent

PATIENCE = 10.0
"""Seconds a child may take to end by itself."""

FEW_DEATHS, WITHIN = 5, 60.0
"""A child that dies more often than this, within so many seconds, rests as long before the next
start: a worker that cannot run is no reason to stop answering clicks."""


@dataclass
class Child:
    """One supervised process, leader of a process group of its own.

    A group of its own keeps the terminal's Ctrl-C from it: the launcher decides the order in
    which things stop. Not a session of its own: Linux shares cores out by sessions first
    (autogroups), where a niceness counts for nothing between a worker and the web server, and the
    health check waited up to 300 ms behind the worker. ``lifeline`` is the signal it gets when the
    launcher dies, ``output`` a file for what it prints, which otherwise goes where ours goes.
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

        def prepare() -> None:
            die_with_parent(parent, self.lifeline)
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # it may write, whatever `stty tostop`

        with contextlib.ExitStack() as stack:
            file = stack.enter_context(self.output.open("ab")) if self.output else None
            self.process = subprocess.Popen(  # noqa: S603
                self.command,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT if file else None,
                process_group=0,
                preexec_fn=prepare,  # noqa: PLW1509
            )

    @property
    def status(self) -> int | None:
        """The exit status, None while the process runs."""
        return self.process.poll() if self.process else None

    def rest(self, now: float) -> float:
        """Note that it has died; seconds to wait before it is started again."""
        self.deaths = [death for death in self.deaths if now - death < WITHIN] + [now]
        return 0.0 if len(self.deaths) <= FEW_DEATHS else WITHIN

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

    def watch(self, tell: Callable[[str], Any] = print, poll: float = 0.2) -> None:
        """Start again what dies, until told to stop; the others go on meanwhile."""
        due: dict[str, float] = {}
        while not self.stopping:
            now = time.monotonic()
            for child in self.children:
                if child.status is None:
                    continue
                if child.name not in due:
                    pause = child.rest(now)
                    due[child.name] = now + pause
                    when = f"in {pause:.0f} s" if pause else "now"
                    tell(f"The {child.name} ended with status {child.status}; starts again {when}.")
                if now >= due[child.name]:
                    try:
                        child.start()
                    except (OSError, subprocess.SubprocessError) as error:  # no memory, say
                        due[child.name] = now + WITHIN
                        tell(
                            f"The {child.name} cannot be started: {error}; again in {WITHIN:.0f} s."
                        )
                    else:
                        del due[child.name]
            time.sleep(poll)

    def stop(self) -> None:
        """Stop everything, the last started first."""
        self.stopping = True
        for child in reversed(self.children):
            child.stop()
        self.children.clear()
