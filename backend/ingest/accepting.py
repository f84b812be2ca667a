"""One annotation with its task → an entry of the store."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeGuard

import cv2
import numpy as np

from backend.errors import BadRequestError
from backend.images.decode import decode
from backend.images.errors import ImageError, ImageUnauthorizedError, ImageUnreachableError
from backend.ingest.context import Context
from backend.ingest.masks import Accepted, read_masks
from backend.label_studio.labeling_config import LabelingConfig, parse
from backend.label_studio.prompts import image_addresses
from backend.retraining.provenance import recall
from backend.session.evidence import ImageKey
from dynamite.errors import DynamiteError
from training.annotation_store import (
    AcceptedAnnotation,
    AcceptedImage,
    Applied,
    Region,
    Rejection,
)

Json = Mapping[str, Any]
"""What Label Studio sends or answers."""


class TryLaterError(DynamiteError):
    """Something that is away may come back: the event is to be kept."""


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
    images = _images(found, task, config, context)
    if before:
        images = with_known_origins(images, before.images)
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


def _images(
    found: Accepted, task: Json, config: LabelingConfig, context: Context
) -> tuple[AcceptedImage, ...]:
    addresses = image_addresses(task.get("data"), config)
    images = []
    for key in sorted(found.regions):
        try:
            digest, size = _fetch(addresses, key, task, context)
        except (ImageUnreachableError, ImageUnauthorizedError) as error:
            raise TryLaterError(str(error)) from error
        except ImageError as error:
            found.reject(key, error.code, str(error))
            continue
        if regions := found.fitting(key, size):
            images.append(AcceptedImage(digest, *size, regions=regions))
    return tuple(images)


def _fetch(
    addresses: Mapping[ImageKey, str], key: ImageKey, task: Json, context: Context
) -> tuple[str, tuple[int, int]]:
    """Keep an image; its digest and H, W."""
    if key not in addresses:
        raise ImageError(f"the task has no image {key.index} for the tag {key.name!r}")
    data = context.images.fetch(addresses[key], task.get("id")).data
    pixels = decode(data, max_pixels=context.settings.max_image_pixels)
    size = (pixels.shape[0], pixels.shape[1])
    plain = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if plain is None or not np.array_equal(plain, pixels):  # training would see something else
        data = cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()
    return context.store.put_image(data), size


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
