"""``dynamite cvat-masks``: masks for the boxes that a task's frames hold, before people start.

Each frame is written at once, and a frame with masks is left alone. So the command can be stopped
and called again, and what people drew is never changed.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rich.progress import Progress

from backend.cvat.api import CvatApi, CvatError
from backend.cvat.backend_client import BackendClient, BackendError
from backend.cvat.job_shapes import Json, add_shapes, by_frame, mask_labels, new_mask, open_jobs
from backend.cvat.taken import rectangle
from backend.settings import Settings

DRAWN = ("mask", "polygon")
"""Shapes that show a frame has its objects already."""

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
                    add_shapes(api, job, written)
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
    across, down = zip(*rectangle(box), strict=True)
    return min(across), min(down), max(across), max(down)


def _frames(
    api: CvatApi, task: int, rule: str, counts: Counter[str]
) -> Iterator[tuple[int, int, list[Json]]]:
    """Yield job, frame and boxes of each frame that waits for masks."""
    labels = mask_labels(api, task)
    for job in open_jobs(api, task, rule, counts):
        shapes = api.get(f"/api/jobs/{job['id']}/annotations/")["shapes"]
        for frame, own in by_frame(shapes):
            boxes = [one for one in own if one["type"] == "rectangle"]
            usable = [one for one in boxes if one["label_id"] in labels]
            if boxes and any(one["type"] in DRAWN for one in own):
                counts["left"] += 1
            elif usable:
                yield int(job["id"]), frame, usable
            counts["unusable"] += len(boxes) - len(usable)


def _shapes(
    frame: int, boxes: Sequence[Json], masks: Sequence[list[int] | None]
) -> list[dict[str, Any]]:
    return [
        new_mask(frame, box["label_id"], mask)
        for box, mask in zip(boxes, masks, strict=True)
        if mask is not None
    ]
