"""``dynamite cvat-masks``: masks for the boxes of a task of CVAT."""

import click

from backend.cli.addresses import cvat_access, cvat_settings, web_address


@click.command()
@click.option("--task", type=int, required=True, help="Number of the task.")
@click.option("--cvat", "url", callback=web_address, help="Address of CVAT [DYNAMITE_CVAT_URL].")
@click.option("--token", help="Access token of CVAT [DYNAMITE_CVAT_TOKEN].")
@click.option(
    "--backend",
    "backend_url",
    callback=web_address,
    help="Address of the backend [where it would listen].",
)
def cvat_masks(task: int, url: str | None, token: str | None, backend_url: str | None) -> None:
    """Write a mask for each box that the frames of a task of CVAT hold.

    All boxes of a frame are segmented together, so that no mask overlaps another. Each mask gets
    the label of its box. Frames that have masks or polygons are left alone, and so are accepted
    jobs. Stop it whenever you like, and call it again to continue. The boxes stay.

    \b
    Example:
      dynamite cvat-masks --task 12 --cvat http://localhost:8080 --token TOKEN
    """
    from rich.console import Console

    from backend.cvat.prelabelling import prelabel_task
    from backend.launcher.banner import address
    from training.progress import progress_bar

    settings = cvat_settings(url, token)
    backend_url = (backend_url or address(settings)).rstrip("/")
    bar = progress_bar(Console())
    counts = prelabel_task(settings, *cvat_access(settings), task, backend_url, bar)
    click.echo(f"{counts['masks']} masks written on {counts['frames']} frames")
    for name, words in (
        ("left", "frames have masks already and were left alone"),
        ("accepted", "jobs are accepted and were left alone"),
        ("unusable", "boxes have labels that take no mask: set their type to any in CVAT"),
        ("failed", "frames failed: call the command again"),
    ):
        if counts[name]:
            click.echo(f"{counts[name]} {words}")
    if counts["failed"]:
        raise click.exceptions.Exit(1)
