"""``dynamite cvat-masks``: masks for the boxes of a task of CVAT, and for what is like others."""

from typing import TYPE_CHECKING

import click

from backend.cli.addresses import (
    backend_address,
    backend_option,
    cvat_access,
    cvat_option,
    cvat_settings,
)

if TYPE_CHECKING:
    from collections import Counter

    from rich.progress import Progress
    from rich.table import Table

    from backend.cvat.propose_task import Outcome
    from backend.settings import Settings

LEFT_ALONE = (
    ("left", "left alone", "frame", " with masks already"),
    ("before", "left alone", "frame", " with proposals already"),
    ("accepted", "left alone", "job", " accepted already"),
    ("tracks", "left alone", "job", " with tracks"),
    (
        "unusable",
        "left out",
        "box",
        " with a label that takes no mask: set its type to any in CVAT",
    ),
    ("failed", "failed", "frame", ": call the command again"),
)
"""What is counted, what became of it, its noun, and what is said of it."""


@click.command()
@click.option("--task", type=int, required=True, help="Number of the task.")
@click.option(
    "--more-like-this",
    is_flag=True,
    help="Then propose further objects on each frame, like the project's accepted masks and those "
    "that people drew on the frame.",
)
@click.option(
    "--least-score",
    type=click.FloatRange(0.0, 1.0),
    default=0.0,
    help="Leave out proposals that score less; the model itself leaves out those below 0.4.",
)
@cvat_option
@click.option("--token", help="Access token of CVAT.  [DYNAMITE_CVAT_TOKEN]")
@backend_option
def cvat_masks(
    task: int,
    more_like_this: bool,
    least_score: float,
    cvat_url: str | None,
    token: str | None,
    backend_url: str | None,
) -> None:
    """Write a mask for each box that the frames of a task of CVAT hold.

    All boxes of a frame are segmented together, so that no mask overlaps another. Each mask gets
    the label of its box. Frames that have masks or polygons are left alone, and so are accepted
    jobs. Stop it whenever you like, and call it again to continue. The boxes stay.

    With --more-like-this, each frame then gets masks of further objects, which lie on no shape that
    is there. A frame gets them once: what you delete of them does not come back.

    \b
    Examples:
      dynamite cvat-masks --task 12 --cvat http://localhost:8080 --token TOKEN
      dynamite cvat-masks --task 12 --more-like-this --least-score 0.6
    """
    settings = cvat_settings(cvat_url, token)
    at = backend_address(settings, backend_url)
    failed = _fill_boxes(settings, task, at)
    if more_like_this:
        failed += _propose(settings, task, at, least_score)
    if failed:
        raise click.exceptions.Exit(1)


def _fill_boxes(settings: "Settings", task: int, at: str) -> int:
    """Write a mask for each box; return how many frames failed."""
    from backend.cli.printing import counted
    from backend.cvat.prelabelling import prelabel_task

    counts = prelabel_task(settings, *cvat_access(settings), task, at, _bar())
    click.echo(
        f"{counted(counts['masks'], 'mask')} written on {counted(counts['frames'], 'frame')}"
    )
    _tell(counts)
    return counts["failed"]


def _propose(settings: "Settings", task: int, at: str, least_score: float) -> int:
    """Write further objects on each frame; return how many frames failed."""
    from backend.cli.printing import counted, print_table
    from backend.cvat.propose_task import propose_in_task

    access = cvat_access(settings)
    found = propose_in_task(settings, *access, task, at, _bar(), least_score=least_score)
    count = sum(map(len, found.scores.values()))
    click.echo(f"{counted(count, 'object')} proposed on {counted(found.counts['frames'], 'frame')}")
    if count:
        print_table(_scores(found))
    _tell(found.counts)
    return found.counts["failed"]


def _scores(found: "Outcome") -> "Table":
    """Return how the proposals of each label score."""
    from statistics import median

    from rich.table import Table

    table = Table("label", box=None)
    for heading in ("proposed", "lowest score", "median", "highest"):
        table.add_column(heading, justify="right")
    for label, scores in sorted(found.scores.items()):
        numbers = (min(scores), median(scores), max(scores))
        table.add_row(label, str(len(scores)), *(f"{number:.2f}" for number in numbers))
    return table


def _tell(counts: "Counter[str]") -> None:
    from backend.cli.printing import counted

    for name, did, what, more in LEFT_ALONE:
        if counts[name]:
            click.echo(f"{did}: {counted(counts[name], what)}{more}")


def _bar() -> "Progress":
    from rich.console import Console

    from training.progress import progress_bar

    return progress_bar(Console(stderr=True))
