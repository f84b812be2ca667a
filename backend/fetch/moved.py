"""A Label Studio that sends its callers to its real address: one sentence, wherever it shows."""

from dataclasses import replace

from backend.fetch.url import Url


def moved(base: Url, reached: Url) -> str | None:
    """What to say where the server at ``base`` leads to ``reached``, elsewhere on its host.

    None where that is at home, or on another host, which may be a storage's or that of a login.
    """
    if reached.host != base.host or reached.origin == base.origin:
        return None
    there = replace(base, scheme=reached.scheme, port=reached.port).shown.rstrip("/")
    return f"Label Studio redirects to {there}: set LABEL_STUDIO_URL to that"
