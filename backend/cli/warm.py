"""``dynamite warm``: features of a whole project or task, ahead of time."""

import click

from backend.cli.addresses import (
    backend_address,
    backend_option,
    cvat_access,
    cvat_option,
    cvat_settings,
    label_studio_access,
    label_studio_option,
    token_option,
)


@click.command()
@click.option("--project", type=int, help="Number of a project of Label Studio.")
@label_studio_option
@click.option("--cvat-task", type=int, help="Number of a task of CVAT.")
@cvat_option
@token_option
@backend_option
def warm(
    project: int | None,
    url: str | None,
    cvat_task: int | None,
    cvat_url: str | None,
    token: str | None,
    backend_url: str | None,
) -> None:
    """Compute the image features of a whole project, or of a task of CVAT, ahead of time.

    Asks the running backend to encode all images, so that no first click has to wait. What does not
    fit into its memory stays on disk. Without address and token it takes those that Label Studio
    named when it connected to the backend of this folder.
    """
    from rich.console import Console

    from backend.cli.printing import counted
    from backend.cvat.warm_task import warm_task
    from backend.label_studio.warming import warm_project
    from backend.settings import load
    from training.progress import progress_bar

    bar = progress_bar(Console(stderr=True))
    if project is not None and cvat_task is None:
        settings = load(label_studio_url=url, label_studio_api_key=token)
        at = backend_address(settings, backend_url)
        done, failed = warm_project(settings, *label_studio_access(settings), project, at, bar)
    elif cvat_task is not None and project is None:
        settings = cvat_settings(cvat_url, token)
        at = backend_address(settings, backend_url)
        done, failed = warm_task(settings, *cvat_access(settings), cvat_task, at, bar)
    else:
        raise click.UsageError("give one of --project N and --cvat-task N")
    click.echo(
        f"warm: {counted(done, 'image')}" + (f"; {failed} could not be had" if failed else "")
    )
    if failed:
        raise click.exceptions.Exit(1)
