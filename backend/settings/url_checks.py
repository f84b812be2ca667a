"""Validates URLs and secrets embedded in them; error messages never show a secret."""

import re
from itertools import takewhile
from urllib.parse import urlsplit

WEBHOOK_SECRET = re.compile(r"[A-Za-z0-9._~-]{12,}")
"""Only characters without a special meaning in URLs, so that no client changes them."""

_PAGES = (
    *("admin", "api", "data", "home", "logout", "ml", "organization", "organizations", "people"),
    *("projects", "tasks", "user", "welcome"),
    *("auth", "jobs", "models"),
    *("health", "k", "metrics", "predict", "setup", "versions", "webhook"),
)
"""First parts of the paths of Label Studio's pages, of CVAT's, and of this backend's."""


def without_page(url: str) -> str:
    """Return the URL of a server, given that of one of its pages, as copied from a browser.

    A folder that the server lies in stays: http://host/labels/projects/3 gives http://host/labels.
    """
    parts = urlsplit(url)
    folders = parts.path.split("/")
    kept = list(takewhile(lambda folder: folder not in _PAGES, folders))
    return f"{parts.scheme}://{parts.netloc}{'/'.join(kept).rstrip('/')}"


def check_webhook_secret(secret: str) -> None:
    """Check that a secret can be a segment of a URL's path.

    Raises:
        ValueError: It is too short, or has characters with a special meaning in URLs.
    """
    if not WEBHOOK_SECRET.fullmatch(secret):
        raise ValueError(
            "must be at least 12 letters, digits or any of . _ ~ - because it is part of a URL: "
            "`openssl rand -hex 24` makes one"
        )


def check_queue_url(url: str) -> None:
    """Check that a URL names a queue server.

    Raises:
        ValueError: redis-py could not use it, or would connect to another server.
    """
    from redis import Redis  # noqa: PLC0415

    try:
        parts = urlsplit(url)
        if parts.scheme == "unix":
            is_valid = bool(parts.path) and parts.hostname is None
        else:
            rest = parts.path + parts.query + parts.fragment
            is_valid = bool(parts.hostname) and "@" not in rest
        with Redis.from_url(url) as client:  # checks the scheme, port and options
            client.connection_pool.make_connection()  # does not connect yet
    except (ValueError, TypeError):  # their messages may contain a part of the password
        is_valid = False
    if not is_valid:
        raise ValueError(
            "must be like redis://:PASSWORD@HOST:6379/0, rediss://… or unix:///PATH; in a "
            "password, percent-encode all characters but letters and digits (/ as %2F)"
        )


def without_password(url: str) -> str:
    """Return a queue server's URL for logs, without anything that could be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
