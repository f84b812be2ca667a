"""Who calls: passwords and secrets, compared in constant time; guesses; callers on this machine."""

import hmac
import re
import threading
import time
from collections import Counter
from ipaddress import ip_address

from flask import g, request

from backend.settings import Settings

GUESSES = 4
"""Wrong passwords of one address that may be answered at the same time."""

GUESS_SECONDS = 1.0
"""How long the answer to a wrong password takes."""

SIGNATURE = "X-Signature-256"
"""Header of webhooks that are signed with a secret."""

FORWARDING = re.compile(
    r"Forwarded|Via|X-(.+-)?Forwarded-.+|(.+-)?(Real|Client|Connecting|Cluster-Client)-Ip", re.I
)
"""Headers of proxies: a call with one of them comes from elsewhere."""


def is_authorized(settings: Settings) -> bool:
    """Whether the request carries the configured password; true where none is configured."""
    if settings.basic_auth_user is None or settings.basic_auth_password is None:
        return True
    given = request.authorization
    if given is None or given.type != "basic":
        return False
    right_user = same(given.username or "", settings.basic_auth_user)
    right_password = same(given.password or "", settings.basic_auth_password.get_secret_value())
    return right_user and right_password


def is_guarded(settings: Settings) -> bool:
    """Whether callers can prove themselves: a password or a secret is configured."""
    return settings.basic_auth_user is not None or settings.webhook_secret is not None


def has_proof(settings: Settings) -> bool:
    """Whether the request carries the configured password or secret."""
    if g.get("secret") is not None:  # a wrong secret does not get this far
        return True
    return settings.basic_auth_user is not None and is_authorized(settings)


def is_local() -> bool:
    """Whether the request comes from this machine, and not through a proxy on it."""
    if any(FORWARDING.fullmatch(name) for name, _ in request.headers):
        return False
    try:
        return ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def same(given: str, wanted: str) -> bool:
    """Compare a secret in constant time."""
    return hmac.compare_digest(given.encode(), wanted.encode())


class Guesses:
    """Slows down those who guess passwords: few at a time, each answered late. Thread-safe."""

    def __init__(self, seconds: float = GUESS_SECONDS) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._pending: Counter[str] = Counter()

    def is_full(self, peer: str) -> bool:
        """Whether an address waits for so many answers that its next password is not looked at."""
        with self._lock:
            return self._pending[peer] >= GUESSES

    def slow_down(self, peer: str) -> None:
        """Wait, since an address has sent a wrong password."""
        with self._lock:
            self._pending[peer] += 1
        time.sleep(self._seconds)
        with self._lock:
            self._pending[peer] -= 1
            self._pending += Counter()  # forget those at zero
