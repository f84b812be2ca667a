"""Stores one annotation of Label Studio."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from backend.errors import BadRequestError
from backend.label_studio.ingest.ingest import Ingest, TryLaterError
from backend.label_studio.ingest.kept_images import ImageKeeper, with_images
from backend.label_studio.ingest.masks import read_masks
from backend.label_studio.ingest.server_identity import OWN_NAME
from backend.label_studio.ingest.values import Json, is_number, moment, number
from backend.label_studio.labeling_config import parse
from backend.serving.answer_log import recall
from training.annotation_store import (
    AcceptedAnnotation,
    AcceptedImage,
    AnnotationStore,
    Outcome,
    Region,
    Rejection,
)


def store_annotation(
    annotation: Json, task: Json, project: Json, ingest: Ingest, *, asked: bool
) -> Outcome:
    """Store an annotation, and list what of it cannot be used.

    Args:
        annotation: as Label Studio describes it.
        task: its task.
        project: its project.
        ingest: the store, and what reading it takes.
        asked: Label Studio has just been asked for it, so it has not been deleted.

    Raises:
        BadRequestError: it lacks its id, its time or its task. If it has an id, it is listed.
        TryLaterError: an image cannot be fetched at the moment.
    """
    try:
        return _store(annotation, task, project, ingest, asked=asked)
    except (BadRequestError, UnicodeEncodeError) as error:
        words = str(error)
        if isinstance(error, UnicodeEncodeError):  # of an address or a label
            words = f"a text holds half a character, {error.object[error.start]!r}"
        rejection = Rejection("bad_annotation", words)
        set_aside(annotation, task, project, rejection, ingest.store, ingest.source)
        raise BadRequestError(words) from error


def set_aside(
    annotation: Json,
    task: Json,
    project: Json,
    rejection: Rejection,
    store: AnnotationStore,
    source: str,
) -> None:
    """List an annotation as one that cannot be stored, if it, its task and project have ids."""
    with suppress(BadRequestError):
        named = AcceptedAnnotation(
            source=source,
            annotation_id=number(annotation, "id"),
            task=number(task, "id"),
            project=number(project, "id"),
            updated_at="",
        )
        store.set_aside(named, rejection)


def _store(annotation: Json, task: Json, project: Json, ingest: Ingest, *, asked: bool) -> Outcome:
    store = ingest.store
    entry = without_images(annotation, task, project, ingest.source)
    before = store.annotation(entry.key)
    if before is not None and before.project != entry.project:  # none ever changes its project
        raise TryLaterError(
            f"annotation {entry.annotation_id} is stored with project {before.project}, but this "
            f"one is of project {entry.project}: {OWN_NAME}"
        )
    if refused := store.refusal(entry, revive=asked):
        return refused
    if entry.cancelled:
        return store.apply(entry, revive=asked)
    try:
        whole = parse(project.get("label_config") or "", ingest.settings.background_labels)
        config = whole.for_task(task.get("data"))
    except BadRequestError as error:
        rejection = Rejection("bad_label_config", str(error))
        return store.apply(entry, [rejection], revive=asked)
    answers = recall(ingest.redis, entry.source, entry.task)
    found = read_masks(annotation.get("result"), config, answers)
    same = before is not None and replace(before, images=()) == entry
    if same and store.rejections(entry.key) == found.rejections:
        return Outcome.NOT_NEWER  # no image could change what is wrong with it
    stored = before.images if before else ()
    keeper = ImageKeeper(ingest.images, store, ingest.settings.max_image_pixels)
    images = with_known_origins(with_images(found, task, config, stored, keeper), stored)
    return store.apply(replace(entry, images=images), found.rejections, revive=asked)


def without_images(annotation: Json, task: Json, project: Json, source: str) -> AcceptedAnnotation:
    """Return an annotation as the store keeps it, but for its images.

    Raises:
        BadRequestError: it lacks its id, its time or its task.
    """
    return AcceptedAnnotation(
        source=source,
        annotation_id=number(annotation, "id"),
        task=number(task, "id"),
        project=number(project, "id"),
        updated_at=moment(annotation.get("updated_at")),
        annotator=annotator(annotation.get("completed_by")),
        ground_truth=bool(annotation.get("ground_truth")),
        cancelled=bool(annotation.get("was_cancelled")),
    )


def with_known_origins(
    images: tuple[AcceptedImage, ...], before: tuple[AcceptedImage, ...]
) -> tuple[AcceptedImage, ...]:
    """Take origins that the queue server has forgotten from the version stored before."""
    known = {(r.region_id, r.counts): r for image in before for r in image.regions}

    def remember(region: Region) -> Region:
        old = known.get((region.region_id, region.counts))
        if old is None or region.model_version is not None:
            return region
        return replace(
            region, origin=old.origin, model_version=old.model_version, clicks=old.clicks
        )

    return tuple(replace(i, regions=tuple(map(remember, i.regions))) for i in images)


def annotator(value: object) -> int | None:
    """Return who made it: a number in events, an object with an id in some answers of the API."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if is_number(value) else None
