"""An HTTP client that reaches only allowed hosts, also by redirect, within time and size limits."""

import contextlib
import http.client
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from backend.errors import ImageTooLargeError, ImageUnreachableError
from backend.fetch.connection import PinnedConnection
from backend.fetch.content_coding import CodingError, TooLargeError, decoded
from backend.fetch.deadline import Deadline
from backend.fetch.hosts import AllowedHosts, resolve
from backend.fetch.network import CERTIFICATE_FIX, Proxy, proxy_for, tls_context
from backend.fetch.url import Url
from dynamite.json_text import read_json

MAX_REDIRECTS = 5
CHUNK = 1 << 16
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_JSON = 1 << 16

Authorize = Callable[[Url], Mapping[str, str]]
"""Returns the authorization headers for a URL; empty for hosts they are not meant for."""


@dataclass(frozen=True)
class Reply:
    """The final response after redirects; ``body`` is empty unless ``status`` is 200."""

    status: int
    url: Url
    content_type: str
    location: str
    body: bytes


class Client:
    """Fetches bytes from allowed hosts, with a new connection per request and no cookies."""

    def __init__(self, hosts: AllowedHosts, max_bytes: int) -> None:
        self._hosts = hosts
        self._max_bytes = max_bytes

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return tls_context()

    def get(self, url: Url, deadline: Deadline, authorize: Authorize) -> Reply:
        """Fetch a URL and follow its redirects; ``authorize`` is called for each.

        Raises:
            ImageError: Refused, unreachable, too large or too late.
        """
        for _ in range(MAX_REDIRECTS + 1):
            reply = self._exchange("GET", url, deadline, dict(authorize(url)))
            if reply.status not in _REDIRECTS or not reply.location:
                return reply
            url = self._next(reply)
        raise ImageUnreachableError(
            f"more than {MAX_REDIRECTS} redirects; the last one points to {url.shown}"
        )

    def post_json(self, url: Url, deadline: Deadline, content: Any) -> tuple[int, Any]:
        """Post JSON, without following redirects.

        Returns:
            The status, and the parsed JSON of the response (None if it is not JSON).

        Raises:
            ImageError: Refused, unreachable, too large or too late.
        """
        body = json.dumps(content).encode()
        headers = {"Content-Type": "application/json"}
        reply = self._exchange("POST", url, deadline, headers, body=body, max_bytes=_MAX_JSON)
        if reply.status in _REDIRECTS and reply.location:
            self._next(reply)  # raises if Label Studio has another URL
        try:
            return reply.status, read_json(reply.body)
        except ValueError:
            return reply.status, None

    def _next(self, reply: Reply) -> Url:
        """Return the checked URL a redirect points to."""
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
        proxy = proxy_for(str(url))
        target = url.target
        if proxy is not None and url.scheme == "http":
            target = str(url)
            headers |= proxy.headers
        addresses = deadline.wait_for(lambda: self._addresses(url, proxy))
        error: Exception | None = None
        for index, address in enumerate(addresses):
            tls = self._tls if url.scheme == "https" else None
            share = deadline.left() / (len(addresses) - index)
            connection = PinnedConnection(
                url, address, deadline, tls, connect_seconds=share, proxy=proxy
            )
            try:
                with deadline.cutting(connection.cut):
                    connection.connect()
                    connection.request(method, target, body, headers)
                    return self._read(connection, url, deadline, max_bytes or self._max_bytes)
            except (OSError, http.client.HTTPException, ValueError) as caught:
                if connection.is_cut:
                    raise deadline.error() from None
                error = caught
                if connection.sock is not None:
                    break  # it did connect: another address would not do better
            finally:
                connection.close()
        if isinstance(error, TimeoutError):
            raise deadline.error() from None
        way = f"; {proxy.way_around(url.host)}" if proxy else ""
        raise ImageUnreachableError(f"cannot reach {url.shown}: {_reason(error)}{way}") from None

    def _addresses(self, url: Url, proxy: Proxy | None) -> list[str]:
        """Return the addresses to connect to: of the URL's host, or of the proxy."""
        if proxy is None:
            return self._hosts.addresses(url)
        with contextlib.suppress(ImageUnreachableError):  # often the proxy alone knows the name
            self._hosts.addresses(url)
        return resolve(proxy.host, proxy.port)

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
        f"{url.shown} is larger than the {max_bytes} bytes allowed (DYNAMITE_MAX_IMAGE_BYTES)"
    )
    content_length = response.length
    if content_length is not None and content_length > max_bytes:
        raise too_large
    parts, size = [], 0
    while part := response.read(CHUNK):
        parts.append(part)
        size += len(part)
        if size > max_bytes:
            raise too_large
    if content_length is not None and size < content_length:
        raise http.client.IncompleteRead(b"", content_length - size)
    try:
        return decoded(b"".join(parts), response.getheader("Content-Encoding", ""), max_bytes)
    except TooLargeError:
        raise too_large from None
    except CodingError as error:
        raise ImageUnreachableError(f"{url.shown} cannot be used: {error}") from None


def _reason(error: Exception | None) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted ({error.verify_message}); {CERTIFICATE_FIX}"
    if isinstance(error, http.client.IncompleteRead):
        return "the response ends early"
    if isinstance(error, http.client.HTTPException):
        return f"the response is not HTTP ({type(error).__name__})"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "the request cannot be sent"
