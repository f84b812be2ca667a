"""Stores the frames of one accepted job, deletes those without masks, cancels rejected ones."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from backend.cvat.api import CvatError
from backend.cvat.collect.collector import Collector, TryLaterError
from backend.cvat.collect.described import Annotations, Job, Label, Meta, Shape, read
from backend.cvat.collect.frame_numbers import FRAMES, job_and_frame, number_of
from backend.cvat.collect.masks import KINDS
from backend.cvat.collect.store_frame import FrameShapes, store_frame
from backend.errors import BadRequestError
from training.annotation_store import AnnotationKey, Outcome


def store_frames(collector: Collector, job: Job) -> str:
    """Store what an accepted job holds now; return what was done, in words.

    Raises:
        TryLaterError: CVAT does not answer for a frame; the others have been stored.
        BadRequestError: CVAT describes something in another form.
    """
    if job.stop_frame >= FRAMES:
        raise BadRequestError(f"job {job.id} has frames beyond {FRAMES}")
    drawn = read(Annotations, _asked(collector, job, "annotations/")).shapes
    gone = read(Meta, _asked(collector, job, "data/meta")).deleted_frames
    shapes = _by_frame(drawn, job, gone)
    labels = _labels(collector, job)
    known = collector.bookkeeping.frames(job.id)
    stored = stored_frames(collector, job.id)
    count, failures = 0, []
    for frame, own in sorted(shapes.items()):
        state = _state(own, labels)
        before = known.get(frame)
        if before is not None and before.state == state and frame in stored:
            continue
        try:
            found = FrameShapes(frame, tuple(own), state)
            count += store_frame(collector, job, found, labels, before) is Outcome.STORED
        except TryLaterError as error:
            failures.append(str(error))
    deleted = delete_frames(collector, job.id, stored - shapes.keys())
    if failures:
        raise TryLaterError(f"{len(failures)} frames of job {job.id} wait: {failures[-1]}")
    return f"{count} frames stored, {deleted} deleted"


def cancel_frames(collector: Collector, job: Job) -> str:
    """Keep the stored frames of a rejected job, but let them not count; say how many."""
    frames = stored_frames(collector, job.id)
    collector.bookkeeping.forget_frames(job.id, frames)
    for frame in sorted(frames):
        key = AnnotationKey(collector.source, number_of(job.id, frame))
        stored = collector.store.annotation(key)
        if stored is not None and not stored.cancelled:
            collector.store.apply(replace(stored, cancelled=True, updated_at=job.updated_at))
    return f"rejected; {len(frames)} frames do not count"


def delete_frames(collector: Collector, job: int, frames: Collection[int]) -> int:
    """Delete what is stored of some frames; return how many there were.

    Their state goes first: a kill between the two files then costs one comparison.
    """
    collector.bookkeeping.forget_frames(job, frames)
    keys = [AnnotationKey(collector.source, number_of(job, frame)) for frame in sorted(frames)]
    return collector.store.delete(*keys)


def stored_frames(collector: Collector, job: int) -> set[int]:
    """Return the frames of a job that are stored, or were set aside."""
    store, found = collector.store, set()
    for project in store.projects():
        if project.source == collector.source:
            for numbers in store.annotations_by_task(project).values():
                found |= {frame for own, frame in map(job_and_frame, numbers) if own == job}
    return found


def _asked(collector: Collector, job: Job, what: str) -> object:
    """Return a part of a job; one that is not there must not look empty."""
    found = collector.ask(f"/api/jobs/{job.id}/{what}")
    if found is None:
        raise TryLaterError(f"CVAT has job {job.id}, but not its {what.strip('/')}")
    return found


def _by_frame(shapes: Sequence[Shape], job: Job, gone: Sequence[int]) -> dict[int, list[Shape]]:
    """Return the masks and polygons of each frame of a job that is still there."""
    found: dict[int, list[Shape]] = {}
    for shape in shapes:
        inside = job.start_frame <= shape.frame <= job.stop_frame and shape.frame not in gone
        if inside and shape.type in KINDS:
            found.setdefault(shape.frame, []).append(shape)
    return found


def _labels(collector: Collector, job: Job) -> dict[int, str]:
    """Return the names of a job's labels by number."""
    try:
        listed = list(collector.cvat.listed("/api/labels", job_id=job.id))
    except CvatError as error:
        raise TryLaterError(str(error)) from error
    labels = [read(Label, one) for one in listed]
    return {label.id: label.name for label in labels}


def _state(shapes: Sequence[Shape], labels: Mapping[int, str]) -> str:
    """Return what changes whenever a frame's masks or the names of their labels do."""
    told = [
        [shape.type, labels.get(shape.label_id), shape.points, shape.source] for shape in shapes
    ]
    return sha256(json.dumps(told).encode()).hexdigest()
