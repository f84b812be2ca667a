"""Addresses given on the command line."""

import click

SCHEMES = ("http://", "https://")


def web_address(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """A callback of an option: the address as it was given, once it is one; empty is none."""
    if not value or value.lower().startswith(SCHEMES):
        return value
    if "://" in value:
        raise click.BadParameter(f"{value!r} must begin with http:// or https://")
    raise click.BadParameter(f"{value!r} lacks its http://: give http://{value}")
