"""The options that say where the backend and the tools are, and the token to enter with."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from backend.settings import Settings

SCHEMES = ("http://", "https://")


def web_address(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Check an option's URL (a click callback); an empty one counts as not given.

    The address of a page, as copied from a browser, gives that of its server.
    """
    from backend.settings.url_checks import without_page

    if not value:
        return value
    if value.lower().startswith(SCHEMES):
        try:
            return without_page(value)
        except ValueError as error:
            raise click.BadParameter(f"{value!r} is no address: {error}") from None
    if "://" in value:
        raise click.BadParameter(f"{value!r} must begin with http:// or https://")
    raise click.BadParameter(f"{value!r} has no http://: give http://{value}")


label_studio_option = click.option(
    "--label-studio",
    "url",
    callback=web_address,
    help="Address of Label Studio.  [LABEL_STUDIO_URL]",
)
cvat_option = click.option(
    "--cvat", "cvat_url", callback=web_address, help="Address of CVAT.  [DYNAMITE_CVAT_URL]"
)
token_option = click.option(
    "--token",
    help="Access token of the tool.  [LABEL_STUDIO_API_KEY or DYNAMITE_CVAT_TOKEN]",
)
backend_option = click.option(
    "--backend",
    "backend_url",
    callback=web_address,
    help="Address of the backend.  [default: as in the settings]",
)


def backend_address(settings: "Settings", given: str | None) -> str:
    """Return the backend's address: the one that was given, else where the settings say."""
    from backend.launcher.banner import address

    return (given or address(settings)).rstrip("/")


def label_studio_access(settings: "Settings") -> tuple[str, str]:
    """Return Label Studio's URL and token: both as configured, or both as it sent them to /setup.

    Raises:
        UsageError: Only one is configured; or none is, and Label Studio has never connected.
    """
    from backend.label_studio.access import configured_access, known_access

    access = configured_access(settings)
    if access.url is None and access.token is None:
        access = known_access(settings)
    if access.url is None or access.token is None:
        raise click.UsageError(
            "give both --label-studio and --token, or set LABEL_STUDIO_URL and "
            "LABEL_STUDIO_API_KEY; without them, Label Studio must have connected to the backend "
            f"once, but there is no record of that in {settings.state_dir.resolve()}"
        )
    return access.url, access.token


def cvat_settings(url: str | None, token: str | None) -> "Settings":
    """Return the settings with CVAT's URL and token: those of the options, else as configured."""
    from backend.settings import load

    return load(cvat_url=url, cvat_token=token)


def cvat_access(settings: "Settings") -> tuple[str, str]:
    """Return CVAT's URL and token.

    Raises:
        UsageError: One of them is missing.
    """
    if settings.cvat_url is None or settings.cvat_token is None:
        raise click.UsageError(
            "give both --cvat and --token, or set DYNAMITE_CVAT_URL and DYNAMITE_CVAT_TOKEN"
        )
    return str(settings.cvat_url), settings.cvat_token.get_secret_value()
