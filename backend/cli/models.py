"""``dynamite models``: the versions of the model, and which one is served."""

import getpass
import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dynamite.registry import Registry


@click.group()
@click.option("--line", help="Line of models [the one served here].")
@click.pass_context
def models(context: click.Context, line: str | None) -> None:
    """List, show, promote and roll back model versions.

    Serving processes notice within seconds and swap models between two clicks.
    """
    from backend.settings import load
    from backend.settings.folders import known_lines, open_registry

    settings = load()
    if line is not None and line not in known_lines(settings):
        known = ", ".join(known_lines(settings))
        raise click.UsageError(f"there is no line of models {line!r}, only {known}")
    context.obj = open_registry(settings, line)


def who() -> str:
    """Return the user's name for the log; in a container the user may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


@models.command("list")
@click.pass_obj
def list_models(registry: "Registry") -> None:
    """Show all versions, the current one marked."""
    from rich.table import Table

    from backend.cli.printing import print_table

    current = registry.current()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("", "version", "made (UTC)", "from", "data", "verdict"):
        table.add_column(name, overflow="fold")
    shipped = "→" if current.version is None else ""
    table.add_row(shipped, "(shipped)", "", "", "", "the shipped weights, or DYNAMITE_CHECKPOINT")
    for version in registry.versions():
        known = version.description
        table.add_row(
            "→" if version.name == current.version else "",
            version.name,
            version.created[:19].replace("T", " "),
            known.parent or "(shipped)",
            (known.data or "")[:8],
            known.verdict,
        )
    print_table(table)


@models.command(short_help="Show where VERSION is and how it was judged.")
@click.argument("version")
@click.pass_obj
def show(registry: "Registry", version: str) -> None:
    """Show where VERSION is, what it was trained on and how it was judged."""
    found = registry.get(version)
    click.echo(found.to_json())
    table = found.report / "report.txt"
    if table.is_file():
        click.echo(f"\n{table.read_text(encoding='utf-8')}")
        click.echo(f"pictures: {found.report / 'pictures'}")


@models.command()
@click.argument("version")
@click.pass_obj
def promote(registry: "Registry", version: str) -> None:
    """Make VERSION the one that is served, after reading all of it."""
    registry.promote(version, holder=who(), reason="promoted by hand")
    click.echo(f"{version} is current; serving processes load it within 10 s")


@models.command()
@click.pass_obj
def rollback(registry: "Registry") -> None:
    """Make the version current that was so before."""
    entry = registry.rollback(holder=who())
    click.echo(f"{entry.version or 'the shipped weights'}: current again")


@models.command(short_help="Show what was promoted, when and by whom.")
@click.pass_obj
def log(registry: "Registry") -> None:
    """Show what was promoted or announced, when and by whom, the newest last."""
    from rich.table import Table

    from backend.cli.printing import print_table

    entries = registry.entries()
    if not entries:
        click.echo(
            "nothing was promoted yet: the shipped weights are served, or DYNAMITE_CHECKPOINT"
        )
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("", "time (UTC)", "current since then", "by", "why"):
        table.add_column(name, overflow="fold")
    for entry in entries:
        table.add_row(
            str(entry.number),
            entry.time[:19].replace("T", " "),
            entry.version or "(shipped)",
            entry.holder,
            entry.reason,
        )
    print_table(table)
