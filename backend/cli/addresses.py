"""Where Label Studio and the backend are, as given on the command line."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from backend.settings import Settings

SCHEMES = ("http://", "https://")


def web_address(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """A callback of an option: the address as it was given, once it is one; empty is none."""
    if not value or value.lower().startswith(SCHEMES):
        return value
    if "://" in value:
        raise click.BadParameter(f"{value!r} must begin with http:// or https://")
    raise click.BadParameter(f"{value!r} lacks its http://: give http://{value}")


def told_access(settings: "Settings") -> tuple[str, str]:
    """Label Studio's address and token: both as configured, or both as it said at /setup.

    Raises:
        UsageError: only one is configured, or neither and nobody has said.
    """
    from backend.label_studio.access import configured_access, known_access

    access = configured_access(settings)
    if access.url is None and access.token is None:
        access = known_access(settings)
    if access.url is None or access.token is None:
        raise click.UsageError(
            "give both --label-studio and --token, or set LABEL_STUDIO_URL and "
            "LABEL_STUDIO_API_KEY, or neither where Label Studio has connected to the backend: "
            f"none has yet that keeps its state in {settings.state_dir.resolve()}"
        )
    return access.url, access.token
