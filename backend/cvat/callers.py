"""Who may call: CVAT sends no credentials, so its network address is what lets it in."""

from ipaddress import ip_address

from flask import request

from backend.errors import ServingError, UnauthorizedError
from backend.settings import Settings
from backend.web.auth import FORWARDING, same

USER = "cvat"
"""User name of the optional password."""


class ForeignCallerError(ServingError):
    """The call comes from an address that is not CVAT's."""

    code = "foreign_caller"
    status = 403


def check_caller(settings: Settings) -> None:
    """Check where the request comes from, and its password where one is set.

    Raises:
        ForeignCallerError: from elsewhere, or through a proxy, behind which everybody looks alike.
        UnauthorizedError: the password is missing or wrong.
    """
    check_peer(settings)
    wanted, given = settings.cvat_password, request.authorization
    if wanted is None:
        return
    is_right = (
        given is not None
        and given.type == "basic"
        and same(given.username or "", USER)
        and same(given.password or "", wanted.get_secret_value())
    )
    if not is_right:
        raise UnauthorizedError(
            f"CVAT must send the password: set its CVAT_NUCLIO_HOST to {USER}:PASSWORD@HOST with "
            "DYNAMITE_CVAT_PASSWORD"
        )


def check_peer(settings: Settings) -> None:
    """Check where the request comes from.

    Raises:
        ForeignCallerError: from elsewhere, or through a proxy.
    """
    through = [name for name, _ in request.headers if FORWARDING.fullmatch(name)]
    if through:
        raise ForeignCallerError(
            f"CVAT must call directly, but a proxy has set {through[0]}: add this host to CVAT's "
            "no_proxy"
        )
    try:
        peer = ip_address((request.remote_addr or "").removeprefix("::ffff:"))
    except ValueError:
        raise ForeignCallerError("the caller has no address") from None
    if not any(peer in network for network in settings.cvat_peers):
        raise ForeignCallerError(
            f"{peer} may not call as CVAT: if it is CVAT, add it to DYNAMITE_CVAT_PEERS"
        )
