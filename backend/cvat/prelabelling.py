"""``dynamite cvat-masks``: masks for the boxes that a task's frames hold, before people start.

Each frame is written at once, and a frame with masks is left alone. So the command can be stopped
and called again, and what people drew is never changed.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.progress import Progress

from backend.cvat.accepted import is_accepted
from backend.cvat.api import CvatApi, CvatError
from backend.cvat.backend_client import BackendClient, BackendError
from backend.settings import Settings

DRAWN = ("mask", "polygon")
"""Shapes that show a frame has its objects already."""

TAKES_MASKS = ("any", "mask")
"""Types of labels that a mask may have."""

Json = Mapping[str, Any]
Corners = tuple[float, float, float, float]


def prelabel_task(
    settings: Settings, url: str, token: str, task: int, backend_url: str, progress: Progress
) -> Counter[str]:
    """Write a mask for each rectangle of a task's frames.

    ``url`` and ``token`` are CVAT's; ``progress`` is the bar to move.

    Returns:
        How many ``masks`` were written on how many ``frames``, how many frames were ``left`` alone
        because they have masks, and how many ``failed``; how many jobs are ``accepted``.

    Raises:
        CvatError: CVAT has no such task, or does not answer.
    """
    counts: Counter[str] = Counter()
    with CvatApi(url, token) as api, BackendClient(backend_url, settings) as backend, progress:
        project = api.get(f"/api/tasks/{task}").get("project_id")
        waiting = list(_frames(api, task, settings.cvat_accepted, counts))
        bar = progress.add_task("frames", total=len(waiting))
        for job, frame, boxes in waiting:
            try:
                asked = [corners(box) for box in boxes]
                masks = backend.segment(api.frame(job, frame), asked, project)
                written = _shapes(frame, boxes, masks)
                if written:
                    _write(api, job, written)
            except (CvatError, BackendError) as error:
                counts["failed"] += 1
                words = f"frame {frame} of job {job}: {error}"
                progress.console.print(words, markup=False, highlight=False)
            else:
                counts["frames"] += 1
                counts["masks"] += len(written)
            progress.advance(bar)
    return counts


def corners(box: Json) -> Corners:
    """Return left, top, right, bottom of what encloses a rectangle, turned about its center."""
    left, top, right, bottom = map(float, box["points"][:4])
    angle = math.radians(float(box.get("rotation") or 0.0))
    across = abs((right - left) * math.cos(angle)) + abs((bottom - top) * math.sin(angle))
    down = abs((right - left) * math.sin(angle)) + abs((bottom - top) * math.cos(angle))
    x, y = (left + right) / 2, (top + bottom) / 2
    return x - across / 2, y - down / 2, x + across / 2, y + down / 2


def _frames(
    api: CvatApi, task: int, rule: str, counts: Counter[str]
) -> Iterator[tuple[int, int, list[Json]]]:
    """Yield job, frame and boxes of each frame that waits for masks."""
    labels = {
        one["id"]
        for one in api.listed("/api/labels", task_id=task)
        if one.get("type", "any") in TAKES_MASKS
    }
    for job in api.listed("/api/jobs", task_id=task):
        if job.get("type", "annotation") != "annotation":
            continue
        if is_accepted(job, rule):  # what is written there would count as accepted
            counts["accepted"] += 1
            continue
        shapes = api.get(f"/api/jobs/{job['id']}/annotations/")["shapes"]
        for frame, own in _by_frame(shapes):
            boxes = [one for one in own if one["type"] == "rectangle"]
            usable = [one for one in boxes if one["label_id"] in labels]
            if boxes and any(one["type"] in DRAWN for one in own):
                counts["left"] += 1
            elif usable:
                yield int(job["id"]), frame, usable
            counts["unusable"] += len(boxes) - len(usable)


def _by_frame(shapes: Iterable[Json]) -> list[tuple[int, list[Json]]]:
    found: dict[int, list[Json]] = {}
    for shape in shapes:
        found.setdefault(int(shape["frame"]), []).append(shape)
    return sorted(found.items())


def _shapes(
    frame: int, boxes: Sequence[Json], masks: Sequence[list[int] | None]
) -> list[dict[str, Any]]:
    return [
        {
            "type": "mask",
            "frame": frame,
            "label_id": box["label_id"],
            "points": mask,
            "source": "auto",
            "group": 0,
            "occluded": False,
            "outside": False,
            "z_order": 0,
            "rotation": 0,
            "attributes": [],
        }
        for box, mask in zip(boxes, masks, strict=True)
        if mask is not None
    ]


def _write(api: CvatApi, job: int, shapes: list[dict[str, Any]]) -> None:
    """Add shapes to a job, which changes none that is there."""
    body = {"version": 0, "tags": [], "tracks": [], "shapes": shapes}
    api.patch(f"/api/jobs/{job}/annotations/", body, action="create")
