"""``dynamite sync``: fetch accepted annotations whose webhook was lost."""

import click

from backend.cli.addresses import web_address


@click.command()
@click.option("--project", type=int, required=True, help="Number of the project.")
@click.option(
    "--label-studio",
    "url",
    callback=web_address,
    help="Address of Label Studio [LABEL_STUDIO_URL].",
)
@click.option("--token", help="Access token of either kind [LABEL_STUDIO_API_KEY].")
@click.option(
    "--replace", is_flag=True, help="First delete what came from another project of that number."
)
@click.option("--new-store", is_flag=True, help="Create a store of annotations where one is gone.")
def sync(project: int, url: str | None, token: str | None, replace: bool, new_store: bool) -> None:
    """Compare a project with Label Studio and store what no webhook brought.

    What Label Studio no longer has is deleted, unless it is not the Label Studio that the accepted
    annotations came from.
    """
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
