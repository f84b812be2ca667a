"""Stores the frames of one accepted job, deletes those without masks, cancels rejected ones."""

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from backend.cvat.api import CvatError
from backend.cvat.collect.bookkeeping import KnownFrame
from backend.cvat.collect.collector import Collector, TryLaterError
from backend.cvat.collect.described import Annotations, Job, Label, Meta, Shape, read
from backend.cvat.collect.frame_numbers import FRAMES, job_and_frame, number_of
from backend.cvat.collect.masks import KINDS, Answers, read_shapes
from backend.errors import BadRequestError, ImageError
from backend.images.decode import digest
from backend.retraining.kept_image import keep_image
from backend.serving.answer_log import recall
from training.annotation_store import (
    AcceptedAnnotation,
    AcceptedImage,
    AnnotationKey,
    Origin,
    Outcome,
    Rejection,
)

log = logging.getLogger(__name__)

CANCELLED = "rejected"
"""The state of a frame whose job was rejected."""


def store_frames(collector: Collector, job: Job) -> str:
    """Store what an accepted job holds now; return what was done, in words.

    Raises:
        TryLaterError: CVAT does not answer for a frame; the others have been stored.
        BadRequestError: CVAT describes something in another form.
    """
    if job.stop_frame >= FRAMES:
        raise BadRequestError(f"job {job.id} has frames beyond {FRAMES}")
    path = f"/api/jobs/{job.id}"
    found = read(Annotations, collector.ask(f"{path}/annotations/") or {})
    gone = read(Meta, collector.ask(f"{path}/data/meta") or {}).deleted_frames
    shapes = _by_frame(found.shapes, job, gone)
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
            count += _store(collector, job, frame, own, labels, before, state) is Outcome.STORED
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


def _store(
    collector: Collector,
    job: Job,
    frame: int,
    shapes: Sequence[Shape],
    labels: Mapping[int, str],
    known: KnownFrame | None,
    state: str,
) -> Outcome:
    entry = AcceptedAnnotation(
        source=collector.source,
        annotation_id=number_of(job.id, frame),
        task=job.task_id,
        project=job.project,
        updated_at=job.updated_at,
        annotator=None if job.assignee is None else job.assignee.id,
    )
    before = collector.store.annotation(entry.key)
    try:
        file, image, size = _image(collector, job, frame, known, before)
    except ImageError as error:  # it arrived, but cannot be used
        rejection = Rejection(error.code, str(error))
        outcome = collector.store.apply(entry, [rejection], revive=True)
        _note(collector, job, frame, KnownFrame(state, ""))
        return outcome
    regions, rejections = read_shapes(shapes, labels, size, _answers(collector, file))
    images: tuple[AcceptedImage, ...] = ()
    if regions:
        images = (_with_known_origins(AcceptedImage(image, *size, regions=regions), before),)
    outcome = collector.store.apply(replace(entry, images=images), rejections, revive=True)
    _note(collector, job, frame, KnownFrame(state, file))
    return outcome


def _note(collector: Collector, job: Job, frame: int, known: KnownFrame) -> None:
    collector.bookkeeping.note_frame(job.id, frame, known, collector.store.change())


def _image(
    collector: Collector,
    job: Job,
    frame: int,
    known: KnownFrame | None,
    before: AcceptedAnnotation | None,
) -> tuple[str, str, tuple[int, int]]:
    """Return the digest of a frame's file, the digest it is kept under, and its size H, W.

    The frames of a task never change, so one that is kept is not fetched again.
    """
    store = collector.store
    for image in before.images if before else ():
        if known is not None and store.image_path(image.digest).is_file():
            return known.digest, image.digest, (image.height, image.width)
    try:
        data = collector.cvat.frame(job.id, frame)
    except CvatError as error:
        raise TryLaterError(str(error)) from error
    kept, size = keep_image(store, data, collector.settings.max_image_pixels)
    return digest(data), kept, size


def _answers(collector: Collector, file: str) -> Answers:
    """Return what the model answered for a frame: the clicks named no task, only its bytes."""
    return recall(collector.redis, collector.source, file).get("", {})


def _with_known_origins(image: AcceptedImage, before: AcceptedAnnotation | None) -> AcceptedImage:
    """Take origins that the queue server has forgotten from the version stored before."""
    stored = before.images if before else ()
    known = {region.counts: region for one in stored for region in one.regions}
    regions = []
    for region in image.regions:
        old = known.get(region.counts)
        if old is not None and region.model_version is None and region.origin is not Origin.DRAWN:
            region = replace(  # noqa: PLW2901
                region, origin=old.origin, model_version=old.model_version, clicks=old.clicks
            )
        regions.append(region)
    return replace(image, regions=tuple(regions))


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
