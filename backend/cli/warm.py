"""``dynamite warm``: features of a whole project, ahead of time."""

import click

from backend.cli.addresses import label_studio_access, web_address


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
    "--backend",
    "backend_url",
    callback=web_address,
    help="Address of the backend [where it would listen].",
)
def warm(project: int, url: str | None, token: str | None, backend_url: str | None) -> None:
    """Compute the image features of a whole project ahead of time.

    Asks the running backend to encode the images of all tasks, so that no first click has to wait.
    What does not fit into its memory stays on disk. Without address and token it takes those that
    Label Studio named when it connected to the backend of this folder.
    """
    from rich.console import Console

    from backend.label_studio.warming import warm_project
    from backend.launcher.banner import address
    from backend.settings import load
    from training.progress import progress_bar

    settings = load(label_studio_url=url, label_studio_api_key=token)
    backend_url = (backend_url or address(settings)).rstrip("/")
    bar = progress_bar(Console())
    done, failed = warm_project(settings, *label_studio_access(settings), project, backend_url, bar)
    click.echo(f"{done} images are warm" + (f", {failed} could not be had" if failed else ""))
    if failed:
        raise click.exceptions.Exit(1)
