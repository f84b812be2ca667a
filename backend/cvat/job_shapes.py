"""What the commands that write masks into a task read of its jobs, and how they add shapes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from backend.cvat.accepted import is_accepted
from backend.cvat.api import CvatApi

TAKES_MASKS = ("any", "mask")
"""Types of labels that a mask may have."""

Json = Mapping[str, Any]


def mask_labels(api: CvatApi, task: int) -> dict[int, str]:
    """Return the names of a task's labels that a mask may have, by number."""
    return {
        int(one["id"]): str(one["name"])
        for one in api.listed("/api/labels", task_id=task)
        if one.get("type", "any") in TAKES_MASKS
    }


def open_jobs(api: CvatApi, task: int, rule: str, counts: Counter[str]) -> Iterator[Json]:
    """Yield the jobs of a task that are not accepted by a rule; count those that are.

    What is written into an accepted job would count as accepted.
    """
    for job in api.listed("/api/jobs", task_id=task):
        if job.get("type", "annotation") != "annotation":
            continue
        if is_accepted(job, rule):
            counts["accepted"] += 1
        else:
            yield job


def by_frame(shapes: Iterable[Json]) -> list[tuple[int, list[Json]]]:
    """Return the shapes of each frame that has some, in the order of the frames."""
    found: dict[int, list[Json]] = {}
    for shape in shapes:
        found.setdefault(int(shape["frame"]), []).append(shape)
    return sorted(found.items())


def new_mask(frame: int, label: int, points: list[int]) -> dict[str, Any]:
    """Return a mask of the model on a frame, as CVAT takes it."""
    return {
        "type": "mask",
        "frame": frame,
        "label_id": label,
        "points": points,
        "source": "auto",
        "group": 0,
        "occluded": False,
        "outside": False,
        "z_order": 0,
        "rotation": 0,
        "attributes": [],
    }


def add_shapes(api: CvatApi, job: int, shapes: list[dict[str, Any]]) -> None:
    """Add shapes to a job, which changes none that is there."""
    body = {"version": 0, "tags": [], "tracks": [], "shapes": shapes}
    api.patch(f"/api/jobs/{job}/annotations/", body, action="create")
