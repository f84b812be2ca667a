"""``dynamite cvat-masks``: masks for the boxes of a task of CVAT."""

import click

from backend.cli.addresses import (
    backend_address,
    backend_option,
    cvat_access,
    cvat_option,
    cvat_settings,
)


@click.command()
@click.option("--task", type=int, required=True, help="Number of the task.")
@cvat_option
@click.option("--token", help="Access token of CVAT.  [DYNAMITE_CVAT_TOKEN]")
@backend_option
def cvat_masks(task: int, cvat_url: str | None, token: str | None, backend_url: str | None) -> None:
    """Write a mask for each box that the frames of a task of CVAT hold.

    All boxes of a frame are segmented together, so that no mask overlaps another. Each mask gets
    the label of its box. Frames that have masks or polygons are left alone, and so are accepted
    jobs. Stop it whenever you like, and call it again to continue. The boxes stay.

    \b
    Example:
      dynamite cvat-masks --task 12 --cvat http://localhost:8080 --token TOKEN
    """
    from rich.console import Console

    from backend.cli.printing import counted
    from backend.cvat.prelabelling import prelabel_task
    from training.progress import progress_bar

    settings = cvat_settings(cvat_url, token)
    at = backend_address(settings, backend_url)
    bar = progress_bar(Console(stderr=True))
    counts = prelabel_task(settings, *cvat_access(settings), task, at, bar)
    click.echo(
        f"{counted(counts['masks'], 'mask')} written on {counted(counts['frames'], 'frame')}"
    )
    for name, did, what, more in (
        ("left", "left alone", "frame", " with masks already"),
        ("accepted", "left alone", "job", " accepted already"),
        (
            "unusable",
            "left out",
            "box",
            " with a label that takes no mask: set its type to any in CVAT",
        ),
        ("failed", "failed", "frame", ": call the command again"),
    ):
        if counts[name]:
            click.echo(f"{did}: {counted(counts[name], what)}{more}")
    if counts["failed"]:
        raise click.exceptions.Exit(1)
