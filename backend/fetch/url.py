"""Strict HTTP URLs: rejects those that parsers may read as different hosts."""

import re
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Self
from urllib.parse import quote, unquote, urljoin, urlsplit

from backend.errors import ImageRefusedError
from backend.settings.host_checks import MAX_LENGTH as MAX_HOST
from backend.settings.host_checks import NAME, NUMBER

MAX_LENGTH = 8192
PORTS = {"http": 80, "https": 443}

_SURROGATE = re.compile("[\ud800-\udfff]")
_ASCII = "".join(map(chr, range(128)))
_SAFE = "/%:=&+$,;!'()*~|"  # besides letters and digits; the rest is percent-encoded


@dataclass(frozen=True)
class Url:
    """A URL with its host in canonical form, without user, password and fragment."""

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an absolute http or https URL.

        Raises:
            ImageRefusedError: It has another scheme, a user name, a host that is not plainly a name
                or a network address (a number, a zone, encoded or non-ASCII characters), an invalid
                port, ``..`` in the path, a backslash before the query, control characters or a lone
                surrogate.
        """
        if len(text) > MAX_LENGTH:
            raise ImageRefusedError(
                f"the URL has {len(text)} characters; at most {MAX_LENGTH} are allowed"
            )
        if re.search(r"[\x00-\x1f\x7f]", text) or "\\" in re.split("[?#]", text)[0]:
            raise ImageRefusedError("the URL contains a backslash or a control character")
        if _SURROGATE.search(text):
            raise ImageRefusedError("the URL contains half of a surrogate pair, which is no text")
        try:
            parts = urlsplit(text)
            scheme, host, port = parts.scheme, parts.hostname, parts.port
        except ValueError as error:
            raise ImageRefusedError(f"the URL is not valid: {error}") from None
        if scheme not in PORTS:
            raise ImageRefusedError(
                f"the URL of an image must start with http:// or https://, not {scheme + '://'!r}"
            )
        if "@" in parts.netloc:
            raise ImageRefusedError("the URL contains a user name or password")
        if "[" in parts.netloc and ":" not in (host or ""):
            raise ImageRefusedError("the URL has a host in brackets that is not an IPv6 address")
        if port == 0:
            raise ImageRefusedError("the URL has port 0")
        path = quote(parts.path or "/", safe=_SAFE)
        if ".." in re.split(r"[/\\]", unquote(unquote(path))):
            raise ImageRefusedError("the path of the URL contains '..'")
        return cls(
            scheme,
            canonical_host(host or ""),
            PORTS[scheme] if port is None else port,
            path,
            quote(parts.query, safe=_SAFE + "?@[]"),
        )

    def join(self, location: str) -> Self:
        """Return the URL that a redirect to ``location`` points to, parsed as strictly.

        ``location`` is the header as bytes in Latin-1, which is how ``http.client`` gives it; those
        that are not ASCII are percent-encoded, as in Chromium.
        """
        location = quote(location.encode("latin-1", "replace"), safe=_ASCII)
        try:
            joined = urljoin(str(self), location)
        except ValueError as error:
            raise ImageRefusedError(f"a redirect points to an invalid URL: {error}") from None
        return self.parse(joined)

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return self.scheme, self.host, self.port

    @cached_property
    def address(self) -> IPv4Address | IPv6Address | None:
        """The host as a network address; None if it is a name."""
        return _address(self.host)

    @property
    def target(self) -> str:
        """Path and query, as in a request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def shown(self) -> str:
        """The URL for messages and logs, without the query: signed URLs keep secrets there."""
        return f"{self._site}{self.path[:200]}"

    @property
    def _site(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    def __str__(self) -> str:
        return self._site + self.target


def canonical_host(host: str) -> str:
    """Return the canonical form of a host name or network address, for comparisons.

    Raises:
        ImageRefusedError: It is not plainly either.
    """
    host = host.lower().removesuffix(".")
    if address := _address(host):
        return str(address)
    if not NAME.fullmatch(host) or len(host) > MAX_HOST:
        raise ImageRefusedError(
            f"{host[:80]!r} is not a plain host name (write international names as xn--…)"
        )
    if NUMBER.fullmatch(host.rsplit(".", 1)[-1]):
        raise ImageRefusedError(
            f"{host[:80]!r} is a number: write a network address as four decimal numbers"
        )
    return host


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return None if "%" in host else ip_address(host)
    except ValueError:
        return None
