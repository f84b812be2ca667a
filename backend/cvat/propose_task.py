"""``dynamite cvat-masks --more-like-this``: further objects on every frame of a task.

They are like what has been accepted in the project, and like what people drew on the frame. Each
frame is read anew before it is answered, and shapes are only added: what people draw meanwhile is
neither covered nor changed. A frame gets proposals once: what is deleted does not come back.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.progress import Progress

from backend.cvat.accepted import is_accepted
from backend.cvat.api import CvatApi, CvatError
from backend.cvat.backend_client import BackendClient, BackendError
from backend.cvat.job_shapes import Json, add_shapes, mask_labels, new_mask, open_jobs
from backend.cvat.proposed_frames import ProposedFrames
from backend.cvat.taken import taken
from backend.cvat.warm_task import frames_of
from backend.settings import Settings


@dataclass
class Outcome:
    """What has been proposed.

    Attributes:
        scores: of the objects of each label.
        counts: how many ``frames`` have proposals now, had some ``before``, or ``failed``; how many
            jobs are ``accepted`` or have ``tracks``.
    """

    scores: dict[str, list[float]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Task:
    """A task as it is asked about: its project, its labels by number, what counts as accepted."""

    api: CvatApi
    number: int
    project: int | None
    labels: dict[int, str]
    rule: str


class _LeftAloneError(Exception):
    """A job that nothing may be written into; the word to count it under."""


def propose_in_task(
    settings: Settings,
    url: str,
    token: str,
    task: int,
    backend_url: str,
    progress: Progress,
    *,
    least_score: float,
) -> Outcome:
    """Propose further objects on the frames of a task that had no proposals before.

    ``url`` and ``token`` are CVAT's; ``progress`` is the bar to move. Proposals that score less
    than ``least_score`` are left out.

    Raises:
        CvatError: CVAT has no such task, or does not answer.
        OSError: what was done cannot be remembered.
    """
    outcome = Outcome()
    with CvatApi(url, token) as api, BackendClient(backend_url, settings) as backend, progress:
        told = api.get(f"/api/tasks/{task}")
        path = settings.state_dir / "cvat-proposed" / f"{settings.cvat_name}-{task}"
        proposed = ProposedFrames(path, str(told["created_date"]))
        labels = mask_labels(api, task)
        asked = _Task(api, task, told.get("project_id"), labels, settings.cvat_accepted)
        waiting = list(_frames(asked, proposed, outcome.counts))
        bar = progress.add_task("frames", total=len(waiting))
        left_alone: set[int] = set()
        for job, frame in waiting:
            if job not in left_alone and frame not in proposed:  # jobs may overlap
                try:
                    found = _propose(asked, backend, job, frame, least_score)
                except _LeftAloneError as reason:
                    outcome.counts[str(reason)] += 1
                    left_alone.add(job)
                except (CvatError, BackendError) as error:
                    outcome.counts["failed"] += 1
                    words = f"frame {frame} of job {job}: {error}"
                    progress.console.print(words, markup=False, highlight=False)
                else:
                    _note(outcome, proposed, frame, found)
            progress.advance(bar)
    return outcome


def _frames(
    asked: _Task, proposed: ProposedFrames, counts: Counter[str]
) -> Iterator[tuple[int, int]]:
    """Yield job and number of each frame that waits for proposals."""
    frames = set(frames_of(asked.api, asked.number))
    for job in open_jobs(asked.api, asked.number, asked.rule, counts):
        for frame in range(int(job["start_frame"]), int(job["stop_frame"]) + 1):
            if frame in proposed:
                counts["before"] += 1
            elif frame in frames:
                yield int(job["id"]), frame


def _propose(
    asked: _Task, backend: BackendClient, job: int, frame: int, least_score: float
) -> list[dict[str, Any]]:
    """Write what is proposed on a frame, and return it."""
    shapes = taken(_shapes_now(asked, job, frame), asked.labels)
    file, names = asked.api.frame(job, frame), list(asked.labels.values())
    found = [
        one
        for one in backend.propose(file, names, shapes, asked.project)
        if one["score"] >= least_score
    ]
    numbers = {name: number for number, name in asked.labels.items()}
    masks = [new_mask(frame, numbers[one["label"]], one["points"]) for one in found]
    if masks:
        add_shapes(asked.api, job, masks)
    return found


def _shapes_now(asked: _Task, job: int, frame: int) -> list[Json]:
    """Return the shapes that a frame has at this moment.

    Raises:
        _LeftAloneError: its job has been accepted meanwhile, or has tracks, whose places between
            their keyframes are not known here.
    """
    if is_accepted(asked.api.get(f"/api/jobs/{job}"), asked.rule):
        raise _LeftAloneError("accepted")
    held = asked.api.get(f"/api/jobs/{job}/annotations/")
    if held.get("tracks"):
        raise _LeftAloneError("tracks")
    return [one for one in held["shapes"] if int(one["frame"]) == frame]


def _note(
    outcome: Outcome, proposed: ProposedFrames, frame: int, found: list[dict[str, Any]]
) -> None:
    """Count what was written; a frame without proposals may be asked again, once more is known."""
    if found:
        proposed.add(frame)
        outcome.counts["frames"] += 1
    for one in found:
        outcome.scores.setdefault(one["label"], []).append(one["score"])
