"""``dynamite sync``: accepted annotations that no webhook brought."""

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
    "--replace", is_flag=True, help="Forget first what came from another project of that number."
)
@click.option("--anew", is_flag=True, help="Begin a store of annotations where one has gone.")
def sync(project: int, url: str | None, token: str | None, replace: bool, anew: bool) -> None:
    """Compare a project with Label Studio and take in what no webhook brought.

    What Label Studio no longer has is forgotten, unless it is not the one that the accepted
    annotations came from.
    """
    from rich.console import Console

    from backend.label_studio.ingest.context import open_context
    from backend.label_studio.ingest.retries import tell_backlog, try_again
    from backend.label_studio.ingest.sync import reconcile_project
    from backend.launcher.valkey import wait_until_ready
    from backend.retraining.requesting import request_where_due
    from backend.settings import load

    settings = load(label_studio_url=url, label_studio_api_key=token)
    wait_until_ready(settings.queue_url)
    with open_context(settings, anew=anew) as context:
        if context.api is None:
            raise click.UsageError(
                "give --label-studio and --token, or set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY"
            )
        if replace:
            click.echo(f"{context.store.replace_project(project)} annotations forgotten")
        with Console(stderr=True).status(f"Comparing project {project} with Label Studio"):
            tried, compared = try_again(context), reconcile_project(context, project)
            tell_backlog(context)
            request_where_due(context.settings, context.store, context.redis)
        click.echo(f"{tried}\nproject {project}: {compared}")
