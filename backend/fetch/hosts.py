"""Which hosts images may come from, and to which network addresses their names may lead."""

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from backend.fetch.moved import moved
from backend.fetch.url import PORTS, Url, canonical_host
from backend.images.errors import ImageRefusedError, ImageUnreachableError

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], list[str]]
"""The network addresses of a host name, for a port."""

_NAT64 = int(IPv6Address("64:ff9b::")) >> 32


def resolve(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a name.

    Raises:
        ImageUnreachableError: nobody knows it.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ImageUnreachableError(f"the host name {host!r} is not known: {error}") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class AllowedHosts:
    """The configured server and the hosts listed beside it, each with its port.

    ``own`` (Label Studio) may be anywhere, as an administrator wrote its address. A listed name may
    lead to public addresses, and to private ones if the address is listed too, or if the name has
    no dot (``localhost``, a container's name): nobody outside can own such a name.

    ``listed`` holds ``host``, for the usual ports, or ``host:port``.
    """

    def __init__(
        self, own: Url | None, listed: Iterable[str] = (), resolver: Resolver = resolve
    ) -> None:
        self.own = own
        self._listed = frozenset(_entry(text) for text in listed)
        self._resolve = resolver

    def check(self, url: Url) -> None:
        """Raise ``ImageRefusedError`` unless images may come from there."""
        if self.is_own(url) or self._lists(url.host, url):
            return
        raise ImageRefusedError(
            f"images may not come from {url.host}:{url.port}: add {_written(url)!r} to "
            "DYNAMITE_IMAGE_HOSTS if they should"
        )

    def check_redirect(self, url: Url, to: Url) -> None:
        """Raise ``ImageUnreachableError`` if Label Studio says that its address is another one.

        It is then asked for the same path there. A storage on its host has another path.
        """
        if self.own is None or not self.is_own(url) or url.target != to.target:
            return
        if words := moved(self.own, to):
            raise ImageUnreachableError(words)

    def is_own(self, url: Url) -> bool:
        """Whether this is the configured server itself: same scheme, host and port."""
        return self.own is not None and url.origin == self.own.origin

    def addresses(self, url: Url) -> list[str]:
        """The checked network addresses to connect to, and to no others.

        Raises:
            ImageRefusedError: the host is not allowed, or leads where it may not.
            ImageUnreachableError: its name is not known.
        """
        self.check(url)
        if url.address:
            return [url.host]
        found = self._resolve(url.host, url.port)
        allowed = [text for text in found if self._may_lead_to(url, text)]
        if not allowed:
            raise ImageRefusedError(
                f"{url.host} leads to {', '.join(found) or 'no address'}, which is not public: add "
                f"that address to DYNAMITE_IMAGE_HOSTS as well if it is meant"
            )
        return allowed

    def _may_lead_to(self, url: Url, text: str) -> bool:
        if self.is_own(url) or self._lists(text, url):
            return True
        address = _innermost(ip_address(text.partition("%")[0]))
        if "." not in url.host:
            return (address.is_global or address.is_private) and not _special(address)
        return address.is_global and not _special(address)

    def _lists(self, host: str, url: Url) -> bool:
        usual = url.port == PORTS[url.scheme]
        return (host, url.port) in self._listed or (usual and (host, None) in self._listed)


def _special(address: Address) -> bool:
    return (
        address.is_multicast
        or address.is_unspecified
        or address.is_link_local
        or (address.is_reserved and not address.is_loopback)
    )


def _innermost(address: Address) -> Address:
    """The IPv4 address that an IPv6 one carries (mapped, translated, 6to4, Teredo), if any."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour or address
    if address.teredo:
        return address.teredo[1]
    high, low = int(address) >> 32, int(address) & 0xFFFFFFFF
    carries = high == _NAT64 or (high == 0 and low > 1)  # "::" and "::1" are themselves
    return IPv4Address(low) if carries else address


def _entry(text: str) -> tuple[str, int | None]:
    """A listed host and its port, None for the usual ones."""
    bare = text.strip()
    if bare.count(":") > 1 and not bare.startswith("["):
        return canonical_host(bare), None
    url = Url.parse(f"http://{bare}")
    written = bare.rpartition("]")[2].rpartition(":")[2] if ":" in bare.rpartition("]")[2] else ""
    return url.host, url.port if written else None


def _written(url: Url) -> str:
    host = f"[{url.host}]" if ":" in url.host else url.host
    return host if url.port == PORTS[url.scheme] else f"{host}:{url.port}"
