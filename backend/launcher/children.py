"""Child processes that die with this one and are stopped with all their descendants."""

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

STOP_SECONDS = 10.0
"""How long a child may take to end by itself."""

MAX_QUICK_RESTARTS, RESTART_WINDOW = 5, 60.0
"""A child that dies more often than this within so many seconds waits as long before the next
start. A worker that cannot run must not end the web server."""


@dataclass
class Child:
    """A supervised process in its own process group.

    With its own group it does not receive the terminal's Ctrl-C: the launcher decides the order in
    which processes stop. It does not get its own session, because Linux divides cores between
    sessions first (autogroups) and ignores niceness across them: the health check then waited up to
    300 ms behind a worker.

    Args:
        name: For messages.
        command: Program and arguments.
        environment: All its environment variables.
        lifeline: The signal it receives when the launcher dies.
        output: A file that its output is appended to; None means our own output.
        stop_seconds: How long it may take to end by itself.
        group: Children of one group are asked to stop together.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    lifeline: signal.Signals = signal.SIGKILL
    output: Path | None = None
    stop_seconds: float = STOP_SECONDS
    group: str = ""
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)
    _asked: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process."""
        parent = os.getpid()

        def prepare() -> None:
            die_with_parent(parent, self.lifeline)
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # let it write even after `stty tostop`

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
        """The exit status; None while the process runs."""
        return self.process.poll() if self.process else None

    def restart_delay(self, now: float) -> float:
        """Record a death; return the seconds to wait before the next start."""
        self.deaths = [death for death in self.deaths if now - death < RESTART_WINDOW] + [now]
        return 0.0 if len(self.deaths) <= MAX_QUICK_RESTARTS else RESTART_WINDOW

    def ask_to_stop(self) -> None:
        """Send SIGTERM, once."""
        if self.process is not None and self.process is not self._asked:
            self._asked = self.process
            if self.process.poll() is None:
                self.process.terminate()

    def stop(self) -> None:
        """Send SIGTERM, wait, then kill it and everything it started."""
        if self.process is None:
            return
        self.ask_to_stop()
        if self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(self.stop_seconds)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Supervisor:
    """Starts children in order, restarts those that die, and stops all in reverse order."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self.stopping = False

    def add(self, child: Child) -> Child:
        """Start ``child`` and supervise it from now on."""
        child.start()
        self.children.append(child)
        return child

    def watch(self, tell: Callable[[str], Any] = print, poll: float = 0.2) -> None:
        """Restart children that die, until stopped; ``tell`` receives a line about each death."""
        due: dict[str, float] = {}  # when to start a dead child, in monotonic seconds
        while not self.stopping:
            now = time.monotonic()
            for child in self.children:
                if child.status is None:
                    continue
                if child.name not in due:
                    delay = child.restart_delay(now)
                    due[child.name] = now + delay
                    when = f"in {delay:.0f} s" if delay else "now"
                    tell(f"The {child.name} ended with status {child.status}; restarting {when}.")
                if now >= due[child.name]:
                    try:
                        child.start()
                    except (OSError, subprocess.SubprocessError) as error:  # no memory, perhaps
                        due[child.name] = now + RESTART_WINDOW
                        again = f"retrying in {RESTART_WINDOW:.0f} s"
                        tell(f"Cannot start the {child.name}: {error}; {again}.")
                    else:
                        del due[child.name]
            time.sleep(poll)

    def stop(self) -> None:
        """Stop all children, last started first, those of one group together."""
        self.stopping = True
        for child in reversed(self.children):
            for peer in self.children:
                if child.group and peer.group == child.group:
                    peer.ask_to_stop()
            child.stop()
        self.children.clear()
