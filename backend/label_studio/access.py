"""Label Studio's address and token, shared with processes that it does not call.

The web process gets both at /setup and keeps them in a file. Workers, which fetch images and ask
back, read them there.
"""

import json
import logging
from dataclasses import dataclass, field

from backend.settings import Settings
from dynamite.files import replacing
from dynamite.json_text import read_json

log = logging.getLogger(__name__)

FILE = "label_studio.json"


@dataclass(frozen=True)
class Access:
    """Label Studio's address, and a token it accepts."""

    url: str | None
    token: str | None = field(repr=False)


def configured_access(settings: Settings) -> Access:
    """Return what the settings say."""
    url, key = settings.label_studio_url, settings.label_studio_api_key
    return Access(str(url).rstrip("/") if url else None, key.get_secret_value() if key else None)


def completed(configured: Access, told: Access) -> Access:
    """Return the settings, completed by what Label Studio said at /setup.

    A configured token goes to the configured address only. A caller of /setup could otherwise name
    a host of its own and receive the token.
    """
    if configured.url is None:
        return told
    return Access(configured.url, configured.token or told.token)


def unused_token(settings: Settings) -> str | None:
    """Return a warning about a configured token that is never sent; None if all is well."""
    configured = configured_access(settings)
    if configured.token is None or configured.url is not None:
        return None
    return (
        "LABEL_STUDIO_API_KEY is not used, since it is sent only to the address it is set for: set "
        "LABEL_STUDIO_URL as well"
    )


def keep(access: Access, settings: Settings) -> None:
    """Keep both for the workers, in a file that only this user can read."""
    path = settings.state_dir / FILE
    try:
        with replacing(path) as draft:
            draft.touch(mode=0o600)
            values = {"url": access.url, "token": access.token}
            draft.write_text(json.dumps(values), encoding="utf-8")
    except OSError as error:
        log.warning("the workers cannot learn where Label Studio is: %s: %s", path, error.strerror)


def known_access(settings: Settings) -> Access:
    """Return the settings, completed by what the web process kept of the last /setup."""
    configured = configured_access(settings)
    if not settings.trust_setup:
        return configured
    try:
        told = read_json((settings.state_dir / FILE).read_bytes())
        url, token = told["url"], told["token"]
    except (OSError, ValueError, KeyError, TypeError):
        return configured
    is_readable = all(one is None or isinstance(one, str) for one in (url, token))
    return completed(configured, Access(url, token)) if is_readable else configured
