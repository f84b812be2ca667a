"""HTTP addresses, read strictly: what could mean two hosts to two readers means none here."""

import re
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Self
from urllib.parse import quote, unquote, urljoin, urlsplit

from backend.images.errors import ImageRefusedError

MAX_LENGTH = 8192
PORTS = {"http": 80, "https": 443}

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_KEPT = "/%:=&+$,;!'()*~|"  # beside letters and digits; other characters get percent-encoded


@dataclass(frozen=True)
class Url:
    """An address with its host in one canonical form; without user, password and fragment."""

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an absolute http or https address.

        Raises:
            ImageRefusedError: another scheme, a user name, a host that is not plainly a name or an
                address (numbers, zones, encoded or non-ASCII characters), a port that is none,
                ``..`` in the path, or control characters.
        """
        if len(text) > MAX_LENGTH:
            raise ImageRefusedError(f"an address of {len(text)} characters is too long")
        if re.search(r"[\x00-\x1f\x7f\\]", text):
            raise ImageRefusedError("the address holds a backslash or a control character")
        try:
            parts = urlsplit(text)
            scheme, host, port = parts.scheme, parts.hostname, parts.port
        except ValueError as error:
            raise ImageRefusedError(f"the address cannot be read: {error}") from None
        if scheme not in PORTS:
            raise ImageRefusedError(f"images come by http or https, not by {scheme or 'nothing'!r}")
        if "@" in parts.netloc:
            raise ImageRefusedError("the address holds a user name or password")
        if "[" in parts.netloc and ":" not in (host or ""):
            raise ImageRefusedError("only IPv6 addresses stand in brackets")
        if port == 0:
            raise ImageRefusedError("the address names port 0")
        path = quote(parts.path or "/", safe=_KEPT)
        if ".." in re.split(r"[/\\]", unquote(unquote(path))):
            raise ImageRefusedError("the path of the address goes up with '..'")
        return cls(
            scheme,
            canonical_host(host or ""),
            PORTS[scheme] if port is None else port,
            path,
            quote(parts.query, safe=_KEPT + "?@[]"),
        )

    def join(self, location: str) -> Self:
        """The address a redirect leads to, read as strictly."""
        try:
            joined = urljoin(str(self), location)
        except ValueError as error:
            raise ImageRefusedError(f"a redirect leads to no address: {error}") from None
        return self.parse(joined)

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: who is spoken to."""
        return self.scheme, self.host, self.port

    @cached_property
    def address(self) -> IPv4Address | IPv6Address | None:
        """The host where it is a network address; None for a name."""
        return _address(self.host)

    @property
    def target(self) -> str:
        """Path and query, as a request line holds them."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def shown(self) -> str:
        """For people and logs: without the query, where signed addresses keep their secrets."""
        return f"{self._site}{self.path[:200]}"

    @property
    def _site(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    def __str__(self) -> str:
        return self._site + self.target


def canonical_host(host: str) -> str:
    """A host name or address in the one form that is compared.

    Raises:
        ImageRefusedError: it is neither plainly.
    """
    host = host.lower().removesuffix(".")
    if address := _address(host):
        return str(address)
    if not _NAME.fullmatch(host) or len(host) > 253:
        raise ImageRefusedError(
            f"{host[:80]!r} is not a plain host name (write international ones as xn--…)"
        )
    if _NUMBER.fullmatch(host.rsplit(".", 1)[-1]):
        raise ImageRefusedError(
            f"{host[:80]!r} is a number: write a network address as four decimals"
        )
    return host


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return None if "%" in host else ip_address(host)
    except ValueError:
        return None
