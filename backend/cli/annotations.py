"""``dynamite annotations``: what was accepted, and what was set aside."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from backend.settings import Settings
    from training.annotation_store import AnnotationStore


@click.group(invoke_without_command=True)
@click.pass_context
def annotations(context: click.Context) -> None:
    """Show what was accepted, and what was set aside and why."""
    from backend.settings import load

    if context.invoked_subcommand is None:
        settings = load()
        _summarize(_open_store(settings, context), settings)


def _open_store(settings: "Settings", context: click.Context) -> "AnnotationStore":
    """Open the store until the command ends; end it if there is no store."""
    from backend.settings.folders import store_folder
    from training.annotation_store import AnnotationStore, is_there

    folder = store_folder(settings)
    if not is_there(folder):
        click.echo(f"nothing has been accepted yet: there is no store in {folder}")
        context.exit()
    return context.with_resource(AnnotationStore(folder))


def _summarize(store: "AnnotationStore", settings: "Settings") -> None:
    from collections import Counter

    from backend.cli.printing import counted
    from backend.own_command import as_typed

    kept = store.annotations()
    regions = [r for a in kept for image in a.images for r in image.regions]
    origins = Counter(str(region.origin) for region in regions)
    projects = counted(len({a.project_key for a in kept}), "project")
    click.echo(f"{counted(len(kept), 'annotation')} of {projects}")
    for origin, count in origins.most_common():
        click.echo(f"  {count:>6} {'mask' if count == 1 else 'masks'} {origin}")
    set_aside, _ = store.count_rejected()
    click.echo(as_typed(f"{set_aside} set aside: `dynamite annotations rejected` lists them"))
    waiting, reason = _count_waiting(settings)
    if waiting:
        click.echo(f"events waiting: {waiting}; the last: {reason}")


def _count_waiting(settings: "Settings") -> tuple[int, str]:
    """Return how many events wait and the reason of one, without creating a file."""
    from backend.cvat.collect import bookkeeping as cvat
    from backend.label_studio.ingest import bookkeeping as label_studio

    count, reason = 0, ""
    path = label_studio.bookkeeping_path(settings)
    if path.is_file():
        with label_studio.Bookkeeping(path) as events:
            count, reason = events.count_waiting()
    path = cvat.bookkeeping_path(settings)
    if path.is_file():
        with cvat.Bookkeeping(path) as hints:
            waiting = hints.waiting()
        count += len(waiting)
        reason = waiting[-1][1] if waiting else reason
    return count, reason


@annotations.command()
@click.pass_context
def rejected(context: click.Context) -> None:
    """List what was set aside, with the reason."""
    from rich.table import Table

    from backend.cli.printing import print_table
    from backend.settings import load

    settings = load()
    rows = _open_store(settings, context).rejected()
    if not rows:
        click.echo("nothing was set aside")
        return
    several = any(row["source"] != settings.label_studio_name for row in rows)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("project", "task", "annotation", "region", "reason", ""):
        table.add_column(name, overflow="fold")
    for row in rows:
        source = f"{row['source']}:" if several else ""
        table.add_row(
            f"{source}{row['project']}",
            str(row["task"]),
            str(row["annotation"]),
            row["region"] or "(all)",
            row["code"],
            row["detail"],
        )
    print_table(table)
