"""Sockets of clients that nobody waits for longer than some time, and who gives way when many come.

gunicorn waits for ever for the rest of a request, and for a client to read its answer.
"""

import errno
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

HEAD_SECONDS = 10.0
"""How long a client may take to send the line and the headers of a request."""

BODY_SECONDS = ANSWER_SECONDS = 60.0
"""How long it may take to send the body, and to read the answer: 64 MB at 9 Mbit/s."""

WITH_HEAD = 2**16
"""Bytes of an answer that go out with its head; large bodies are not copied for it."""


class ClientSocket(socket.socket):
    """The socket of a client that must send or read in time.

    A client that sends too slowly looks as if it had hung up in the middle; one that reads too
    slowly, as if it had hung up before it had read everything.

    Args:
        accepted: the socket that was accepted; it is taken over.
        peer: address of the client, without the port.
    """

    def __init__(self, accepted: socket.socket, peer: str) -> None:
        super().__init__(fileno=accepted.detach())
        self.peer = peer
        self.is_waiting = True
        self.rest()

    def rest(self) -> None:
        """Begin to wait for the next request, which may take its time."""
        self.expect(HEAD_SECONDS)
        self.is_waiting = True

    def expect(self, seconds: float) -> None:
        """Give the client so many seconds from now for what it has to do next."""
        self.since = time.monotonic()
        self._deadline = self.since + seconds
        self._is_answering = False
        self._head = b""

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Read; b"", as at the end, once the client's time is over."""
        with self._waiting() as is_in_time:
            if not is_in_time:
                return b""
            try:
                return super().recv(size, flags)
            except TimeoutError:
                if time.monotonic() < self._deadline:  # the timeout of the caller
                    raise
                return b""

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send; the first call begins the time in which the client must read everything.

        The head of an answer goes out with what follows it. A process that is killed in between
        has sent nothing, and a load balancer can ask another one.

        Raises:
            BrokenPipeError: its time is over.
        """
        if not self._is_answering:
            self.expect(ANSWER_SECONDS)
            self._is_answering = True
            if bytes(data[-4:]) == b"\r\n\r\n":
                self._head = bytes(data)
                return None
        head, self._head = self._head, b""
        with self._waiting() as is_in_time:
            try:
                if is_in_time and head:
                    super().sendall(head + data[:WITH_HEAD], flags)
                    return super().sendall(memoryview(data)[WITH_HEAD:], flags)
                if is_in_time:
                    return super().sendall(data, flags)
            except TimeoutError:
                pass
        raise BrokenPipeError(errno.EPIPE, "the client does not read its answer")

    def flush(self) -> None:
        """Send a head that nothing followed.

        Raises:
            BrokenPipeError: the client's time is over.
        """
        if self._head:
            self.sendall(b"")

    def setblocking(self, flag: bool, /) -> None:
        """Do nothing to a closed socket: gunicorn closes each one twice."""
        if self.fileno() >= 0:
            super().setblocking(flag)

    def drop(self) -> None:
        """Hang up, from any thread: whoever waits for the client goes on at once."""
        self.is_waiting = False
        with suppress(OSError):  # the client was quicker
            self.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _waiting(self) -> Iterator[bool]:
        """Wait at most until the deadline; whether there is time left."""
        given, left = self.gettimeout(), self._deadline - time.monotonic()
        if given != 0:
            self.settimeout(max(left, 0.001) if given is None else max(min(left, given), 0.001))
        self.is_waiting = True
        try:
            yield left > 0
        finally:
            self.is_waiting = False
            if self.fileno() >= 0:
                self.settimeout(given)


def who_gives_way(clients: Iterable[ClientSocket]) -> ClientSocket | None:
    """Return the client to drop: of the peer that keeps us waiting most often, the slowest.

    So a peer with many slow connections takes no place from others, and a new connection of its own
    takes the place of an older one. None if nobody is waited for.
    """
    waiting = [client for client in clients if client.is_waiting]
    if not waiting:
        return None
    counts = Counter(client.peer for client in waiting)
    return max(waiting, key=lambda client: (counts[client.peer], -client.since))
