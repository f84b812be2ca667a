"""Label Studio's two kinds of access token, as request headers.

A legacy token is sent as it is. A personal access token is a JWT that only buys others, which last
five minutes and are sent instead (docs/label-studio-protocol.md, 9).
"""

import base64
import binascii
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from backend.errors import ImageUnauthorizedError, ImageUnreachableError
from backend.fetch.deadline import Deadline
from dynamite.json_text import read_json

DEFAULT_LIFE = 300.0
"""Lifetime in seconds of an access token that does not state one."""

MARGIN = 30.0
"""Seconds before its end when an access token is renewed."""

Exchange = Callable[[str, Deadline], tuple[int, Any]]
"""Sends a refresh token to Label Studio; returns the status and JSON of the answer."""


class Tokens:
    """Headers for one token, renewed in time. Threads that need a new one at once share it."""

    def __init__(self, token: str, exchange: Exchange) -> None:
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            raise ImageUnauthorizedError(
                "the access token of Label Studio holds spaces or other characters that no token "
                "has: copy it again"
            )
        self._token = token
        self._exchange = exchange
        self.renews = _claims(token).get("token_type") == "refresh"
        self._lock = threading.Lock()
        self._access = ""
        self._ends = float("-inf")

    def headers(
        self, deadline: Deadline, *, rejected: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Return the header to send; a new one, not ``rejected``, if the token can be renewed.

        Raises:
            ImageUnauthorizedError: Label Studio gives no access for this token.
            ImageError: it cannot be asked.
        """
        if not self.renews:
            kind = "Bearer" if _claims(self._token) else "Token"
            return {"Authorization": f"{kind} {self._token}"}
        deadline = deadline.awaiting("Label Studio, asked for an access token,")
        if not self._lock.acquire(timeout=deadline.left()):
            raise deadline.error()
        try:
            current = {"Authorization": f"Bearer {self._access}"}
            if time.monotonic() > self._ends or current == rejected:
                self._renew(deadline)
            return {"Authorization": f"Bearer {self._access}"}
        finally:
            self._lock.release()

    def _renew(self, deadline: Deadline) -> None:
        asked = time.monotonic()
        status, answer = self._exchange(self._token, deadline)
        if 300 <= status < 400:
            raise ImageUnreachableError(
                f"Label Studio redirects (status {status}) where a token is exchanged: set "
                "LABEL_STUDIO_URL to the address that the browser shows"
            )
        access = answer.get("access") if isinstance(answer, dict) else None
        if status != 200 or not isinstance(access, str) or not re.fullmatch(r"[\w.=-]+", access):
            raise ImageUnauthorizedError(
                f"Label Studio gives no access for the personal access token (status {status}): it "
                "may have been deleted or have expired; make a new one under Account & Settings"
            )
        claims = _claims(access)
        try:
            life = float(claims["exp"]) - float(claims["iat"])
        except (KeyError, TypeError, ValueError):
            life = DEFAULT_LIFE
        self._access, self._ends = access, asked + life - MARGIN


def _claims(token: str) -> dict[str, Any]:
    """Return the claims of a JWT, its signature unchecked; empty for another kind of token."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = read_json(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
