"""The names under which this backend may be called.

A page in a browser can make a name of its own point to this machine, and then call the backend as
if it belonged to it. Its calls carry that name, and so they are refused.
"""

import re
from ipaddress import ip_address

from backend.settings import Settings

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{0,5})?")


def is_known_host(header: str | None, settings: Settings) -> bool:
    """Return whether a request's Host header names this backend.

    Any address will do, since only a name can be made to point elsewhere; so will no header, which
    every browser sends.
    """
    if header is None:
        return True
    found = _HOST.fullmatch(header)
    if found is None:  # urlsplit would see a name of ours in evil.com@localhost
        return False
    name = found[1].lower().strip("[]").rstrip(".")
    known = {"localhost", settings.host.lower(), *settings.known_hosts}
    return name in known or name.endswith(".localhost") or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
