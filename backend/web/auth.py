"""Passwords and secrets of requests, compared in constant time."""

import hmac

from flask import request

from backend.settings import Settings


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


def same(given: str, wanted: str) -> bool:
    """Compare a secret in constant time."""
    return hmac.compare_digest(given.encode(), wanted.encode())
