"""Checks the hosts in settings: one that cannot work is refused at start, by its setting's name."""

import re
from ipaddress import ip_address

NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
"""A plain host name in lower case."""

NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last part of a name that some programs read as a network address."""

MAX_LENGTH = 253
"""Characters of a host name."""

NOT_SENT = "holds a user name or password, which is never sent: leave it out"


def check_host(host: str) -> None:
    """Check that a text is a host name or a network address, and nothing else.

    Raises:
        ValueError: it is neither; says what to write.
    """
    if "@" in host:
        raise ValueError(NOT_SENT)
    if "*" in host:
        raise ValueError(f"{host!r} has a wildcard, which fits no host: write the whole name")
    if not host.isascii():
        raise ValueError(f"{host!r} is an international name: write it as {_as_ascii(host)}")
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        name = host.lower().removesuffix(".")
        if not NAME.fullmatch(name) or len(name) > MAX_LENGTH:
            raise ValueError(
                f"{host!r} must be a host name or address, without scheme, port or path"
            ) from None
        if NUMBER.fullmatch(name.rsplit(".", 1)[-1]):
            raise ValueError(
                f"{host!r} is a number: write a network address as four decimal numbers"
            ) from None


def check_host_and_port(text: str) -> None:
    """Check ``host`` or ``host:port``, with an IPv6 address in brackets where a port follows.

    Raises:
        ValueError: it is neither; says what to write.
    """
    if "@" in text:
        raise ValueError(NOT_SENT)
    if re.search(r"[/\\?#\s]", text):
        raise ValueError(f"{text!r} must be host or host:port, without scheme or path")
    if text.endswith("]") or (text.count(":") != 1 and not text.startswith("[")):
        check_host(text)
        return
    host, _, port = text.rpartition(":")
    check_host(host)
    if not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 2**16:
        raise ValueError(f"{text!r} has the port {port!r}, which is not a number from 1 to 65535")


def _as_ascii(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return "xn--…"
