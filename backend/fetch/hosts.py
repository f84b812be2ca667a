"""Which hosts images may come from, and which network addresses their names may resolve to."""

import socket
from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from backend.errors import ImageRefusedError, ImageUnreachableError
from backend.fetch.url import PORTS, Url, canonical_host

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], list[str]]
"""Returns the network addresses of a host name, for a port."""

_OF_CLOUDS = (ip_network("192.0.0.0/24"), ip_network("168.63.129.16/32"))
"""Public by their numbers, but inside the machine's own network: of Oracle, of Azure."""

_NAT64 = int(IPv6Address("64:ff9b::")) >> 32


def resolve(host: str, port: int) -> list[str]:
    """Ask the system for the network addresses of a host name.

    Raises:
        ImageUnreachableError: The name is not known.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ImageUnreachableError(f"the host name {host!r} is not known: {error}") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class AllowedHosts:
    """Label Studio itself and the listed hosts, each with its port.

    ``own``, the URL of Label Studio, may resolve to any address, because an administrator
    configured it. A listed name may resolve to public addresses. It may resolve to private ones
    only if the address is listed too, or if the name has no dot (``localhost``, the name of a
    container): outsiders cannot register such a name.

    ``listed`` holds entries ``host``, for the default ports, or ``host:port``.
    """

    def __init__(
        self, own: Url | None, listed: Iterable[str] = (), resolver: Resolver = resolve
    ) -> None:
        self.own = own
        self._listed = frozenset(_entry(text) for text in listed)
        self._resolve = resolver

    def check(self, url: Url) -> None:
        """Check that images may come from a URL's host and port.

        Raises:
            ImageRefusedError: They may not.
        """
        if self.is_own(url) or self._lists(url.host, url):
            return
        raise ImageRefusedError(
            f"images may not come from {url.host}:{url.port}: add {_entry_for(url)!r} to "
            "DYNAMITE_IMAGE_HOSTS if they should"
        )

    def check_redirect(self, url: Url, to: Url) -> None:
        """Check that a redirect is not Label Studio pointing to another URL of its own.

        That keeps the path; a redirect to a storage on the same host has another path.

        Raises:
            ImageUnreachableError: It is; the message says which URL to configure.
        """
        if self.own is None or not self.is_own(url) or url.target != to.target:
            return
        if message := moved_message(self.own, to):
            raise ImageUnreachableError(message)

    def is_own(self, url: Url) -> bool:
        """Return whether a URL has the scheme, host and port of Label Studio."""
        return self.own is not None and url.origin == self.own.origin

    def addresses(self, url: Url) -> list[str]:
        """Resolve a URL's host to the network addresses that may be connected to.

        Raises:
            ImageRefusedError: The host is not allowed, or resolves only to forbidden addresses.
            ImageUnreachableError: Its name is not known.
        """
        self.check(url)
        if url.address:
            return [url.host]
        found = self._resolve(url.host, url.port)
        allowed = [text for text in found if self._may_resolve_to(url, text)]
        if not allowed:
            raise ImageRefusedError(
                f"{url.host} resolves to {', '.join(found) or 'no address'}, which is not public: "
                "add that address to DYNAMITE_IMAGE_HOSTS too if this is intended"
            )
        return allowed

    def _may_resolve_to(self, url: Url, text: str) -> bool:
        if self.is_own(url) or self._lists(text, url):
            return True
        address = _innermost(ip_address(text.partition("%")[0]))
        if "." not in url.host:
            return (address.is_global or address.is_private) and not _special(address)
        return address.is_global and not _special(address)

    def _lists(self, host: str, url: Url) -> bool:
        default = url.port == PORTS[url.scheme]
        return (host, url.port) in self._listed or (default and (host, None) in self._listed)


def moved_message(base: Url, reached: Url) -> str | None:
    """Return a message if the server at ``base`` redirected to another origin on its host.

    Returns:
        None if ``reached`` has the same origin, or if it is on another host, such as a storage or
        a login page.
    """
    if reached.host != base.host or reached.origin == base.origin:
        return None
    there = replace(base, scheme=reached.scheme, port=reached.port).shown.rstrip("/")
    return f"Label Studio redirects to {there}: set LABEL_STUDIO_URL to that"


def _special(address: Address) -> bool:
    return (
        address.is_multicast
        or address.is_unspecified
        or address.is_link_local
        or (address.is_reserved and not address.is_loopback)
        or any(address in network for network in _OF_CLOUDS)
    )


def _innermost(address: Address) -> Address:
    """Return the IPv4 address embedded in an IPv6 one (mapped, NAT64, 6to4, Teredo), if any."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour or address
    if address.teredo:
        return address.teredo[1]
    high, low = int(address) >> 32, int(address) & 0xFFFFFFFF
    embeds = high == _NAT64 or (high == 0 and low > 1)  # "::" and "::1" embed none
    return IPv4Address(low) if embeds else address


def _entry(text: str) -> tuple[str, int | None]:
    """Parse a listed host; its port is None for the default ports."""
    bare = text.strip()
    if bare.count(":") > 1 and not bare.startswith("["):
        return canonical_host(bare), None
    url = Url.parse(f"http://{bare}")
    has_port = bool(bare.rpartition("]")[2].partition(":")[2])
    return url.host, url.port if has_port else None


def _entry_for(url: Url) -> str:
    """Write the entry that lists a URL's host."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return host if url.port == PORTS[url.scheme] else f"{host}:{url.port}"
