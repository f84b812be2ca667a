"""HTTP within bounds: allowed hosts, checked at each redirect; caps on time and size."""

import http.client
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from backend.fetch.connection import PinnedConnection
from backend.fetch.deadline import Deadline
from backend.fetch.hosts import AllowedHosts
from backend.fetch.url import Url
from backend.images.errors import ImageTooLargeError, ImageUnreachableError

MAX_REDIRECTS = 5
CHUNK = 1 << 16
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_JSON = 1 << 16

Authorize = Callable[[Url], Mapping[str, str]]
"""The headers that prove who asks, for one address; none for a host they are not meant for."""


@dataclass(frozen=True)
class Reply:
    """The last answer of a chain of redirects; ``body`` is empty unless ``status`` is 200."""

    status: int
    url: Url
    content_type: str
    location: str
    body: bytes


class Client:
    """Gets bytes from allowed hosts. Each fetch has a connection of its own and no memory."""

    def __init__(self, hosts: AllowedHosts, max_bytes: int) -> None:
        self._hosts = hosts
        self._max_bytes = max_bytes

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def get(self, url: Url, deadline: Deadline, authorize: Authorize) -> Reply:
        """What lies at an address, or where its redirects lead; each is authorized anew.

        Raises:
            ImageError: refused, unreachable, too large or too late.
        """
        for _ in range(MAX_REDIRECTS + 1):
            reply = self._exchange("GET", url, deadline, dict(authorize(url)))
            if reply.status not in _REDIRECTS or not reply.location:
                return reply
            url = self._next(reply)
        raise ImageUnreachableError(
            f"more than {MAX_REDIRECTS} redirects; the last one leads to {url.shown}"
        )

    def post_json(self, url: Url, deadline: Deadline, content: Any) -> tuple[int, Any]:
        """The status and the JSON of the answer (None if it is none). Follows no redirect.

        Raises:
            ImageError: refused, unreachable, too large or too late.
        """
        body = json.dumps(content).encode()
        headers = {"Content-Type": "application/json"}
        reply = self._exchange("POST", url, deadline, headers, body=body, max_bytes=_MAX_JSON)
        if reply.status in _REDIRECTS and reply.location:
            self._next(reply)  # which says so if Label Studio is elsewhere
        try:
            return reply.status, json.loads(reply.body)
        except ValueError:
            return reply.status, None

    def _next(self, reply: Reply) -> Url:
        """Where a redirect leads."""
        url = reply.url.join(reply.location)
        self._hosts.check_redirect(reply.url, url)
        return url

    def _exchange(
        self,
        method: str,
        url: Url,
        deadline: Deadline,
        headers: dict[str, str],
        *,
        body: bytes | None = None,
        max_bytes: int | None = None,
    ) -> Reply:
        deadline = deadline.awaiting(url.shown)
        headers |= {"Accept-Encoding": "identity", "Connection": "close", "User-Agent": "DynaMITE"}
        addresses = deadline.wait_for(lambda: self._hosts.addresses(url))
        error: Exception | None = None
        for index, address in enumerate(addresses):
            tls = self._tls if url.scheme == "https" else None
            share = deadline.left() / (len(addresses) - index)
            connection = PinnedConnection(url, address, deadline, tls, patience=share)
            try:
                with deadline.cutting(connection.cut):
                    connection.connect()
                    connection.request(method, url.target, body, headers)
                    return self._read(connection, url, deadline, max_bytes or self._max_bytes)
            except (OSError, http.client.HTTPException, ValueError) as caught:
                if connection.is_cut:
                    raise deadline.error() from None
                error = caught
                if connection.sock is not None:
                    break  # it did connect: another address would do no better
            finally:
                connection.close()
        if isinstance(error, TimeoutError):
            raise deadline.error() from None
        raise ImageUnreachableError(f"{url.shown} cannot be reached: {_reason(error)}") from None

    def _read(
        self, connection: PinnedConnection, url: Url, deadline: Deadline, max_bytes: int
    ) -> Reply:
        with connection.getresponse() as response:
            body = b""
            if response.status == 200:
                body = _body(response, url, max_bytes)
            if connection.is_cut:
                raise deadline.error()
            return Reply(
                response.status,
                url,
                response.getheader("Content-Type", "").partition(";")[0].strip().lower(),
                response.getheader("Location", ""),
                body,
            )


def _body(response: http.client.HTTPResponse, url: Url, max_bytes: int) -> bytes:
    too_large = ImageTooLargeError(
        f"{url.shown} holds more than the {max_bytes} bytes allowed (DYNAMITE_MAX_IMAGE_BYTES)"
    )
    promised = response.length
    if promised is not None and promised > max_bytes:
        raise too_large
    if response.getheader("Content-Encoding", "identity").lower() != "identity":
        raise ImageUnreachableError(f"{url.shown} comes compressed, which was not asked for")
    parts, size = [], 0
    while part := response.read(CHUNK):
        parts.append(part)
        size += len(part)
        if size > max_bytes:
            raise too_large
    if promised is not None and size < promised:
        raise http.client.IncompleteRead(b"", promised - size)
    return b"".join(parts)


def _reason(error: Exception | None) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted ({error.verify_message})"
    if isinstance(error, http.client.IncompleteRead):
        return "the answer ends early"
    if isinstance(error, http.client.HTTPException):
        return f"the answer is not HTTP ({type(error).__name__})"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "the request cannot be written"
