"""``dynamite export``: accepted masks as a data set for other programs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from backend.cli.addresses import web_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backend.settings import Settings
    from training.annotation_store import AnnotationStore, ProjectKey
    from training.export.write import Exported

FORMS = ("coco", "coco-polygons", "png", "yolo")


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--as", "form", type=click.Choice(FORMS), default="coco", show_default=True, help="Format."
)
@click.option(
    "--project",
    type=click.IntRange(min=1),
    help="Number of the project; needed with --label-studio, else all.",
)
@click.option(
    "--label-studio",
    "url",
    callback=web_address,
    help="Read the project from the Label Studio at this address, not from the store.",
)
@click.option("--token", help="Access token of Label Studio.  [LABEL_STUDIO_API_KEY]")
@click.option(
    "--every-annotation",
    "every",
    is_flag=True,
    help="Export each annotation of an image, not only the one that counts.",
)
@click.option(
    "--skip-problems",
    is_flag=True,
    help="Leave out images that Label Studio cannot hand over now, instead of stopping.",
)
def export(
    *,
    out: Path,
    form: str,
    project: int | None,
    url: str | None,
    token: str | None,
    every: bool,
    skip_problems: bool,
) -> None:
    """Write accepted masks and their images into the new folder OUT.

    Without --label-studio, the masks come from the store of accepted annotations that trainings
    use. Of several annotations of an image, ground truth counts, else the newest.

    \b
    Formats:
      coco           annotations.json, masks as RLE: exact
      coco-polygons  annotations.json, masks as polygons: holes become slits
      png            maps of objects and of labels, and values.json
      yolo           a file of polygons for each image, and data.yaml

    \b
    Examples:
      dynamite export masks
      dynamite export masks --as yolo --label-studio http://localhost:8080 --project 3
    """
    from backend.settings import load

    settings = load(label_studio_url=url, label_studio_api_key=token)
    if out.exists():
        raise click.ClickException(f"{out} exists already, and nothing is overwritten")
    if url is None:
        _from_store(settings, out, form, project, every=every)
    else:
        _from_label_studio(settings, out, form, project, every=every, skip=skip_problems)


def _from_store(
    settings: "Settings", out: Path, form: str, project: int | None, *, every: bool
) -> None:
    from backend.settings.folders import store_folder
    from training.annotation_store import AnnotationStore, is_there

    folder = store_folder(settings)
    if not is_there(folder):
        raise click.ClickException(
            f"nothing has been accepted yet: there is no store in {folder}; give --label-studio "
            "and --project to read a project of Label Studio instead"
        )
    with AnnotationStore(folder) as store:
        known = store.projects()
        chosen = None if project is None else {key for key in known if key.number == project}
        if chosen is not None and not chosen:
            there = ", ".join(map(str, known)) or "none"
            raise click.ClickException(f"nothing is stored of project {project}; there is: {there}")
        _write(store, out, form, every=every, projects=chosen)


def _from_label_studio(
    settings: "Settings", out: Path, form: str, project: int | None, *, every: bool, skip: bool
) -> None:
    from shutil import rmtree

    from rich.console import Console

    from backend.cli.addresses import label_studio_access
    from backend.label_studio.access import Access
    from backend.label_studio.api import LabelStudioApi
    from backend.label_studio.ingest.collecting import collect
    from backend.label_studio.ingest.ingest import TryLaterError
    from backend.label_studio.ingest.kept_images import ImageKeeper
    from backend.label_studio.task_images import open_fetcher
    from training.annotation_store import AnnotationStore
    from training.progress import progress_bar

    if project is None:
        raise click.UsageError("give --project, the number of the project in Label Studio")
    address, secret = label_studio_access(settings)
    folder = collected_in(out, address, project)
    bar = progress_bar(Console(stderr=True))
    with LabelStudioApi(address, secret) as api, AnnotationStore(folder) as store, bar:
        fetcher = open_fetcher(settings, Access(address, secret))
        row = bar.add_task("Fetching tasks", total=api.task_count(project))
        try:
            found = collect(
                project,
                api,
                ImageKeeper(fetcher, store, settings.max_image_pixels),
                source=settings.label_studio_name,
                background=settings.background_labels,
                skip_unreachable=skip,
                advance=lambda: bar.advance(row),
            )
        except TryLaterError as error:
            raise click.ClickException(
                f"{error}. Run the same command again: it goes on where it ended. With "
                "--skip-problems, it leaves out such images."
            ) from None
        bar.stop()
        for task, why in found.unreachable.items():
            click.echo(f"left out: an image of task {task}: {why}", err=True)
        _write(store, out, form, every=every, labels=found.labels)
    rmtree(folder, ignore_errors=True)


def collected_in(out: Path, address: str, project: int) -> Path:
    """Return the folder in which an export from Label Studio collects, beside ``out``."""
    from hashlib import blake2b

    name = blake2b(f"{address} {project}".encode(), digest_size=4).hexdigest()
    return out.with_name(f".{out.name}.{name}.collected")


def _write(
    store: "AnnotationStore",
    out: Path,
    form: str,
    *,
    every: bool,
    projects: "set[ProjectKey] | None" = None,
    labels: "Sequence[str]" = (),
) -> None:
    from backend.cli.printing import counted
    from training.export.pictures import pictures
    from training.export.write import write_export

    annotations = store.annotations(projects)
    set_aside = store.incomplete()
    empty = [one for one in annotations if not one.images and one.key not in set_aside]
    if empty:
        click.echo(f"left out: {counted(len(empty), 'annotation')} without a mask", err=True)
    for row in store.rejected():
        if projects is None or (row["source"], row["project"]) in projects:
            what = "an annotation" if row["region"] is None else f"region {row['region']}"
            click.echo(f"left out: {what} of task {row['task']}: {row['detail']}", err=True)
    exported = write_export(store, pictures(store, annotations, every=every), out, form, labels)
    _tell(exported, out)


def _tell(exported: "Exported", out: Path) -> None:
    from backend.cli.printing import counted

    for name in exported.missing:
        click.echo(f"left out: {name}: the store has lost the file of this image", err=True)
    for words, count in exported.notes.items():
        click.echo(f"{words}: {count:,}", err=True)
    counts = (
        counted(exported.pictures, "image"),
        counted(exported.objects, "object"),
        counted(exported.labels, "label"),
    )
    click.echo(f"{out}: {', '.join(counts)}")
