"""Makes the timeout of requests one for the whole answer.

requests applies it to each read, so a server that sends a byte now and then never exceeds it.
"""

import io
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ReadTimeoutError

from backend.errors import ImageTimeoutError
from backend.fetch.deadline import Deadline

_CHUNK = 1 << 16


class InTimeAdapter(HTTPAdapter):
    """Ends an answer that has not come in full when its time is over."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make connections whose headers come in time."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """Likewise through a proxy."""
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send a request; ``timeout`` is in seconds, for headers and body of its answer each."""
        response = super().send(request, True, timeout, verify, cert, proxies)
        if not stream and timeout is not None:
            response.raw = io.BytesIO(_body(response, Deadline(timeout)))
        return response


def _body(response: requests.Response, deadline: Deadline) -> bytes:
    """Read the body of an answer, part by part."""
    parts = []
    try:
        while part := response.raw.read1(_CHUNK, decode_content=True):
            parts.append(part)
            deadline.left()
    except (ImageTimeoutError, ReadTimeoutError) as error:
        response.close()
        raise requests.ReadTimeout(error, request=response.request) from None
    except HTTPError as error:
        raise requests.ConnectionError(error, request=response.request) from None
    response.raw.release_conn()
    return b"".join(parts)


class _HttpConnection(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3
        return _in_time(self, super().getresponse)


class _HttpsConnection(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3
        return _in_time(self, super().getresponse)


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


def _in_time(connection: HTTPConnection, read_headers: Callable[[], HTTPResponse]) -> HTTPResponse:
    """Return what ``read_headers`` returns; hang up if that takes longer than its timeout."""
    seconds, sock = connection.timeout, connection.sock
    if seconds is None or sock is None:
        return read_headers()
    is_over = threading.Event()

    def hang_up() -> None:
        is_over.set()
        with suppress(OSError):
            # Not SSLSocket.shutdown, which removes the TLS state while another thread reads.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    found = None
    with Deadline(seconds).cutting(hang_up):
        try:
            found = read_headers()
        except Exception:
            if not is_over.is_set():
                raise
    if found is None or is_over.is_set():
        if found is not None:
            found.close()
        raise TimeoutError("the headers of the answer did not come in time")
    return found
