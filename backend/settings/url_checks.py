"""Secrets that stand in addresses: are they written as addresses need it? No error shows one."""

import re
from urllib.parse import urlsplit

WEBHOOK_SECRET = re.compile(r"[A-Za-z0-9._~-]{12,}")
"""Characters that mean nothing in an address, so that nobody cuts or changes them on the way."""


def check_webhook_secret(secret: str) -> None:
    """Make sure that a secret can be a part of a path.

    Raises:
        ValueError: it is too short, or has characters that addresses treat specially.
    """
    if not WEBHOOK_SECRET.fullmatch(secret):
        raise ValueError(
            "must be at least 12 letters, digits or any of . _ ~ - because it is part of an "
            "address: `openssl rand -hex 24` makes one"
        )


def check_queue_url(url: str) -> None:
    """Make sure that an address is one of a queue server.

    Raises:
        ValueError: redis-py could not use it, or would take it for another one.
    """
    from redis import Redis  # noqa: PLC0415

    try:
        parts = urlsplit(url)
        if parts.scheme == "unix":
            good = bool(parts.path) and parts.hostname is None
        else:
            good = bool(parts.hostname) and "@" not in parts.path + parts.query + parts.fragment
        with Redis.from_url(url) as client:  # has the last word on schemes, ports and options
            client.connection_pool.make_connection()  # which does not connect yet
    except (ValueError, TypeError):  # whose words may hold a part of the password
        good = False
    if not good:
        raise ValueError(
            "must be like redis://:PASSWORD@HOST:6379/0, rediss://… or unix:///PATH; a password "
            "with other characters than letters and digits must be percent-encoded (/ as %2F)"
        )


def without_password(url: str) -> str:
    """The address of a queue server as it may stand in a log: nothing that could be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
