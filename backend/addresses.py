"""Secrets that stand in addresses: are they written as addresses need it? No error shows one."""

import re

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
