"""Stores what an accepted job holds on one frame."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from backend.cvat.api import CvatError
from backend.cvat.collect.bookkeeping import KnownFrame
from backend.cvat.collect.collector import Collector, TryLaterError
from backend.cvat.collect.described import Job, Shape
from backend.cvat.collect.frame_numbers import number_of
from backend.cvat.collect.masks import read_shapes
from backend.errors import ImageError
from backend.images.decode import digest
from backend.retraining.kept_image import keep_image
from backend.serving.answer_log import recall
from training.annotation_store import (
    AcceptedAnnotation,
    AcceptedImage,
    Origin,
    Outcome,
    Rejection,
)


@dataclass(frozen=True)
class FrameShapes:
    """The masks and polygons of a frame; ``state`` changes whenever they or their labels do."""

    frame: int
    shapes: tuple[Shape, ...]
    state: str


def store_frame(
    collector: Collector,
    job: Job,
    found: FrameShapes,
    labels: Mapping[int, str],
    known: KnownFrame | None,
) -> Outcome:
    """Store the objects of a frame with its image, and list what of it cannot be used.

    Args:
        collector: the store, and what it takes.
        job: the job, accepted.
        found: what it holds on the frame.
        labels: names by number.
        known: of the version stored before.

    Raises:
        TryLaterError: CVAT does not hand out the frame.
    """
    entry = AcceptedAnnotation(
        source=collector.source,
        annotation_id=number_of(job.id, found.frame),
        task=job.task_id,
        project=job.project,
        updated_at=job.updated_at,
        annotator=None if job.assignee is None else job.assignee.id,
    )
    store = collector.store
    before = store.annotation(entry.key)
    rejections: list[Rejection] = []
    file = ""
    try:
        file, image, size = _image(collector, job, found.frame, known, before)
    except ImageError as error:  # it arrived, but cannot be used
        rejections.append(Rejection(error.code, str(error)))
    else:
        # Clicks named no task, so what the model answered is found by the frame's bytes.
        answers = recall(collector.redis, collector.source, file).get("", {})
        regions, rejections = read_shapes(found.shapes, labels, size, answers)
        if regions:
            accepted = AcceptedImage(image, *size, regions=regions)
            entry = replace(entry, images=(_with_known_origins(accepted, before),))
    outcome = store.apply(entry, rejections, revive=True)
    collector.bookkeeping.note_frame(
        job.id, found.frame, KnownFrame(found.state, file), store.change()
    )
    return outcome


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
