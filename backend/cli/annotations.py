"""``dynamite annotations``: what was accepted, and what was set aside."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from training.annotation_store import AnnotationStore


@click.group(invoke_without_command=True)
@click.pass_context
def annotations(context: click.Context) -> None:
    """Show what was accepted, and what was set aside and why."""
    if context.invoked_subcommand is None:
        _summarize(_open_store(context))


def _open_store(context: click.Context) -> "AnnotationStore":
    """The store, closed with the command; where there is none the command ends."""
    from backend.settings import load
    from backend.settings.folders import store_folder
    from training.annotation_store import AnnotationStore, is_there

    folder = store_folder(load())
    if not is_there(folder):
        click.echo(f"nothing has been accepted yet: there is no store in {folder}")
        context.exit()
    return context.with_resource(AnnotationStore(folder))


def _summarize(store: "AnnotationStore") -> None:
    from collections import Counter

    from backend.cli.printing import counted

    kept = store.annotations()
    regions = [r for a in kept for image in a.images for r in image.regions]
    origins = Counter(str(region.origin) for region in regions)
    projects = counted(len({a.project for a in kept}), "project")
    click.echo(f"{counted(len(kept), 'annotation')} of {projects}")
    for origin, count in origins.most_common():
        click.echo(f"  {count:>6} {'mask' if count == 1 else 'masks'} {origin}")
    aside, _ = store.count_rejected()
    click.echo(f"{aside} set aside: `dynamite annotations rejected` lists them")
    waiting, reason = store.count_waiting()
    if waiting:
        click.echo(f"events waiting: {waiting}; the last: {reason}")


@annotations.command()
@click.pass_context
def rejected(context: click.Context) -> None:
    """List what was set aside, with the reason."""
    from rich.table import Table

    from backend.cli.printing import print_table

    rows = _open_store(context).rejected()
    if not rows:
        click.echo("nothing was set aside")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("project", "task", "annotation", "region", "reason", ""):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(
            str(row["project"]),
            str(row["task"]),
            str(row["annotation"]),
            row["region"] or "(all)",
            row["code"],
            row["detail"],
        )
    print_table(table)
