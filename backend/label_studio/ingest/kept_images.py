"""The images that an annotation's objects lie on: fetched and kept, or those kept before."""

from collections.abc import Iterable, Mapping
from typing import Any

import cv2
import numpy as np

from backend.errors import ImageError, ImageUnauthorizedError, ImageUnreachableError
from backend.images.decode import decode
from backend.label_studio.ingest.context import Context
from backend.label_studio.ingest.errors import TryLaterError
from backend.label_studio.ingest.masks import Accepted, Size
from backend.label_studio.labeling_config import LabelingConfig
from backend.label_studio.predict_request import image_addresses
from backend.session.call import ImageKey
from training.annotation_store import AcceptedImage, AnnotationStore, Region


def with_images(
    found: Accepted,
    task: Mapping[str, Any],
    config: LabelingConfig,
    context: Context,
    before: tuple[AcceptedImage, ...],
) -> tuple[AcceptedImage, ...]:
    """The objects on their images; those whose image cannot be used are set aside in ``found``.

    An image that was kept with an earlier version of the annotation outlives its host: where it
    cannot be had again, or something else lies there, the objects stay on it.

    Raises:
        TryLaterError: an image cannot be fetched at the moment.
    """
    addresses = image_addresses(task.get("data"), config)
    images = []
    for key in sorted(found.regions):
        said = found.regions[key]
        kept = _kept(before, (region for _, region in said), context.store)
        try:
            digest, size = _fetch(addresses, key, task, context)
        except (ImageUnreachableError, ImageUnauthorizedError) as error:
            raise TryLaterError(str(error)) from error
        except ImageError as error:
            if kept is None:
                found.reject(key, error.code, str(error))
                continue
            digest, size = kept
        else:
            if kept is not None and all(own != size for own, _ in said):
                digest, size = kept
        if regions := found.fitting(key, size):
            images.append(AcceptedImage(digest, *size, regions=regions))
    return tuple(images)


def _kept(
    before: tuple[AcceptedImage, ...], regions: Iterable[Region], store: AnnotationStore
) -> tuple[str, Size] | None:
    """The digest and size of the image that some of these objects are stored on."""
    ids = {region.region_id for region in regions}
    for image in before:
        shared = not ids.isdisjoint(region.region_id for region in image.regions)
        if shared and store.image_path(image.digest).is_file():
            return image.digest, (image.height, image.width)
    return None


def _fetch(
    addresses: Mapping[ImageKey, str], key: ImageKey, task: Mapping[str, Any], context: Context
) -> tuple[str, Size]:
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
