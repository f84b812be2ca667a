"""``dynamite sync``: fetch accepted annotations whose webhook was lost."""

from typing import TYPE_CHECKING

import click

from backend.cli.addresses import cvat_option, label_studio_option, token_option

if TYPE_CHECKING:
    from backend.cvat.collect.bookkeeping import Hint


@click.command()
@click.option("--project", type=int, help="Number of a project of Label Studio.")
@label_studio_option
@click.option("--cvat-project", type=int, help="Number of a project of CVAT.")
@click.option("--cvat-task", type=int, help="Number of a task of CVAT, if it has no project.")
@cvat_option
@token_option
@click.option(
    "--replace",
    is_flag=True,
    help="First delete what came from another project of Label Studio with that number.",
)
@click.option("--new-store", is_flag=True, help="Create a store of annotations where one is gone.")
def sync(
    project: int | None,
    url: str | None,
    cvat_project: int | None,
    cvat_task: int | None,
    cvat_url: str | None,
    token: str | None,
    replace: bool,
    new_store: bool,
) -> None:
    """Compare a project with Label Studio or CVAT and store what no webhook brought.

    What the tool no longer has is deleted, unless it is not the server that the accepted
    annotations came from. A project of CVAT that was compared once is compared again and again.
    """
    wanted = [
        (kind, number)
        for kind, number in (("", project), ("project", cvat_project), ("task", cvat_task))
        if number is not None
    ]
    if len(wanted) != 1:
        raise click.UsageError("give one of --project N, --cvat-project N and --cvat-task N")
    ((kind, number),) = wanted
    if kind:
        _sync_cvat((kind, number), cvat_url, token, new_store=new_store)
    else:
        _sync_label_studio(number, url, token, replace=replace, new_store=new_store)


def _sync_label_studio(
    project: int, url: str | None, token: str | None, *, replace: bool, new_store: bool
) -> None:
    from rich.console import Console

    from backend.label_studio.ingest.deletion import replace_project
    from backend.label_studio.ingest.ingest import open_ingest
    from backend.label_studio.ingest.retries import publish_backlog, try_again
    from backend.label_studio.ingest.sync import reconcile_project
    from backend.launcher.valkey import wait_until_ready
    from backend.retraining.requesting import request_where_due
    from backend.settings import load

    settings = load(label_studio_url=url, label_studio_api_key=token)
    wait_until_ready(settings.queue_url)
    with open_ingest(settings, new_store=new_store) as ingest:
        if ingest.api is None:
            raise click.UsageError(
                "give --label-studio and --token, or set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY"
            )
        if replace:
            count = replace_project(project, ingest.store, ingest.bookkeeping)
            click.echo(f"{count} annotations deleted")
        with Console(stderr=True).status(f"Comparing project {project} with Label Studio"):
            tried, compared = try_again(ingest), reconcile_project(ingest, project)
            publish_backlog(ingest.store, ingest.bookkeeping, ingest.redis)
            request_where_due(settings, ingest.store, ingest.redis)
        click.echo(f"{tried}\nproject {project}: {compared}")


def _sync_cvat(what: "Hint", url: str | None, token: str | None, *, new_store: bool) -> None:
    from rich.console import Console

    from backend.cli.addresses import cvat_access, cvat_settings
    from backend.cvat.collect.collector import open_collector
    from backend.cvat.collect.sync import reconcile, try_again
    from backend.cvat.collect.waiting import publish_waiting
    from backend.launcher.valkey import wait_until_ready
    from backend.retraining.requesting import request_where_due

    settings = cvat_settings(url, token)
    cvat_access(settings)
    wait_until_ready(settings.queue_url)
    with open_collector(settings, new_store=new_store) as collector:
        with Console(stderr=True).status(f"Comparing {what[0]} {what[1]} with CVAT"):
            tried, compared = try_again(collector), reconcile(collector, what)
            publish_waiting(collector.bookkeeping, collector.redis)
            request_where_due(settings, collector.store, collector.redis)
        click.echo(f"{tried}\n{compared}")
