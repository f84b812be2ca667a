"""One annotation with its task → an entry of the store."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeGuard

from backend.errors import BadRequestError
from backend.label_studio.ingest.context import Context
from backend.label_studio.ingest.errors import TryLaterError
from backend.label_studio.ingest.kept_images import with_images
from backend.label_studio.ingest.masks import read_masks
from backend.label_studio.labeling_config import parse
from backend.serving.answer_log import recall
from training.annotation_store import (
    AcceptedAnnotation,
    AcceptedImage,
    Applied,
    Region,
    Rejection,
)

Json = Mapping[str, Any]
"""What Label Studio sends or answers."""


def accept(
    annotation: Json, task: Json, project: Json, context: Context, *, asked: bool
) -> Applied:
    """Put an annotation into the store, what is wrong with it beside it.

    ``asked``: Label Studio has just been asked for it, so it is not one that was deleted.

    Raises:
        BadRequestError: it lacks its id, its time or its task. Where it can be named, it is listed.
        TryLaterError: an image cannot be fetched at the moment.
    """
    try:
        return _accept(annotation, task, project, context, asked=asked)
    except BadRequestError as error:
        rejection = Rejection("bad_annotation", str(error))
        set_aside(annotation, task, project, rejection, context)
        raise


def set_aside(
    annotation: Json, task: Json, project: Json, rejection: Rejection, context: Context
) -> None:
    """List an annotation as one that cannot be kept, if it can be named."""
    with suppress(BadRequestError):
        numbers = [number(one, "id") for one in (annotation, task, project)]
        named = AcceptedAnnotation(numbers[0], numbers[1], numbers[2], updated_at="")
        context.store.set_aside(named, rejection)


def _accept(
    annotation: Json, task: Json, project: Json, context: Context, *, asked: bool
) -> Applied:
    entry = AcceptedAnnotation(
        annotation_id=number(annotation, "id"),
        task=number(task, "id"),
        project=number(project, "id"),
        updated_at=moment(annotation.get("updated_at")),
        annotator=annotator(annotation.get("completed_by")),
        ground_truth=bool(annotation.get("ground_truth")),
        cancelled=bool(annotation.get("was_cancelled")),
    )
    before = context.store.annotation(entry.annotation_id)
    if before is not None and before.project != entry.project:  # none ever changes its project
        raise TryLaterError(
            f"annotation {entry.annotation_id} of project {before.project} is stored, not of "
            f"{entry.project}: it is another Label Studio's; give each a state folder of its own"
        )
    if refused := context.store.refusal(entry, revive=asked):
        return refused
    if entry.cancelled:
        return context.store.apply(entry, revive=asked)
    try:
        config = parse(project.get("label_config") or "", context.settings.background_labels)
    except BadRequestError as error:
        rejection = Rejection("bad_label_config", str(error))
        return context.store.apply(entry, [rejection], revive=asked)
    found = read_masks(annotation.get("result"), config, recall(context.redis, entry.task))
    same = before is not None and replace(before, images=()) == entry
    if same and context.store.rejections(entry.annotation_id) == found.rejections:
        return Applied.OLD  # what is wrong with it, no image could mend
    stored = before.images if before else ()
    images = with_known_origins(with_images(found, task, config, context, stored), stored)
    entry = replace(entry, images=images)
    return context.store.apply(entry, found.rejections, revive=asked)


def with_known_origins(
    images: tuple[AcceptedImage, ...], before: tuple[AcceptedImage, ...]
) -> tuple[AcceptedImage, ...]:
    """What the queue server has forgotten of where a mask comes from, the store may still know."""
    known = {(r.region_id, r.counts): r for image in before for r in image.regions}

    def remember(region: Region) -> Region:
        old = known.get((region.region_id, region.counts))
        if old is None or region.model_version is not None:
            return region
        return replace(
            region, origin=old.origin, model_version=old.model_version, clicks=old.clicks
        )

    return tuple(replace(i, regions=tuple(map(remember, i.regions))) for i in images)


def number(values: Json, key: str) -> int:
    """A field that must be a whole number."""
    value = values.get(key)
    if not is_number(value):
        raise BadRequestError(f"{key} is {value!r}, not a number")
    return value


def is_number(value: object) -> TypeGuard[int]:
    """Whether it is a whole number that SQLite can hold; to Python, true and false are some."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def moment(value: object) -> str:
    """Label Studio's time as UTC with microseconds: later ones sort later."""
    try:
        time = datetime.fromisoformat(str(value))
        aware = time if time.tzinfo else time.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):  # the latter: in UTC it lies before year 1 or after 9999
        raise BadRequestError(f"updated_at is {value!r}, not a time") from None


def annotator(value: object) -> int | None:
    """Who made it: a number in events, an object with an id in some answers of the API."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if is_number(value) else None
