"""``dynamite annotations``: what was accepted, and what was set aside."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from training.annotation_store import AnnotationStore


@click.group(invoke_without_command=True)
@click.pass_context
def annotations(context: click.Context) -> None:
    """Show what was accepted, and what was set aside and why."""
    from collections import Counter

    from backend.retraining.places import store_folder
    from backend.settings import load
    from training.annotation_store import AnnotationStore, is_there

    folder = store_folder(load())
    if not is_there(folder):
        click.echo(f"nothing has been accepted yet: there is no store in {folder}")
        context.exit()
    store = context.with_resource(AnnotationStore(folder))
    context.obj = store
    if context.invoked_subcommand is not None:
        return
    kept = store.annotations()
    regions = [r for a in kept for image in a.images for r in image.regions]
    origins = Counter(str(region.origin) for region in regions)
    click.echo(f"{len(kept)} annotations of {len({a.project for a in kept})} projects")
    for origin, count in origins.most_common():
        click.echo(f"  {count:>6} masks {origin}")
    aside, _ = store.count_rejected()
    click.echo(f"{aside} set aside: `dynamite annotations rejected` lists them")
    waiting, reason = store.count_waiting()
    if waiting:
        click.echo(f"events waiting: {waiting}; the last: {reason}")


@annotations.command()
@click.pass_obj
def rejected(store: "AnnotationStore") -> None:
    """List what was set aside, with the reason."""
    from rich.table import Table

    from backend.cli.printing import print_table

    rows = store.rejected()
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
