"""The images that an annotation's objects lie on: fetched and kept, or those kept before."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from backend.errors import ImageError, ImageUnauthorizedError, ImageUnreachableError
from backend.label_studio.ingest.ingest import TryLaterError
from backend.label_studio.ingest.masks import Accepted, Size
from backend.label_studio.labeling_config import LabelingConfig
from backend.label_studio.predict_request import image_addresses
from backend.retraining.kept_image import keep_image
from backend.serving.image_cache import Fetcher
from backend.session.regions import ImageKey
from training.annotation_store import AcceptedImage, AnnotationStore, Region


@dataclass(frozen=True)
class ImageKeeper:
    """Fetches images into the store.

    Attributes:
        fetcher: gets the bytes of an image.
        store: keeps them.
        max_pixels: largest image, in pixels.
    """

    fetcher: Fetcher
    store: AnnotationStore
    max_pixels: int

    def keep(self, address: str, task_id: int | None) -> tuple[str, Size]:
        """Fetch an image and keep it.

        Returns:
            Its digest and its size H, W.

        Raises:
            ImageError: it cannot be fetched or decoded.
        """
        data = self.fetcher.fetch(address, task_id).data
        return keep_image(self.store, data, self.max_pixels)

    def kept(
        self, before: Iterable[AcceptedImage], regions: Iterable[Region]
    ) -> tuple[str, Size] | None:
        """Return the digest and size of the image that some of these objects are stored on."""
        ids = {region.region_id for region in regions}
        for image in before:
            shared = not ids.isdisjoint(region.region_id for region in image.regions)
            if shared and self.store.image_path(image.digest).is_file():
                return image.digest, (image.height, image.width)
        return None


def with_images(
    found: Accepted,
    task: Mapping[str, Any],
    config: LabelingConfig,
    before: tuple[AcceptedImage, ...],
    keeper: ImageKeeper,
) -> tuple[AcceptedImage, ...]:
    """Put objects on their images.

    An image that was kept with an earlier version of the annotation outlives its host: if it cannot
    be fetched again, or its address now leads to another image, the objects stay on it.

    Args:
        found: the objects; those whose image cannot be used are set aside in it.
        task: holds the addresses of the images.
        config: the labelling config of its project.
        before: the images of the version stored before.
        keeper: fetches and keeps images.

    Raises:
        TryLaterError: an image cannot be fetched at the moment.
    """
    addresses = image_addresses(task.get("data"), config)
    images = []
    for key in sorted(found.regions):
        objects = found.regions[key]
        kept = keeper.kept(before, (region for _, region in objects))
        try:
            digest, size = keeper.keep(_address(addresses, key), task.get("id"))
        except (ImageUnreachableError, ImageUnauthorizedError) as error:
            raise TryLaterError(str(error)) from error
        except ImageError as error:
            if kept is None:
                found.reject(key, error.code, str(error))
                continue
            digest, size = kept
        else:
            if kept is not None and all(own != size for own, _ in objects):
                digest, size = kept
        if regions := found.fitting(key, size):
            images.append(AcceptedImage(digest, *size, regions=regions))
    return tuple(images)


def _address(addresses: Mapping[ImageKey, str], key: ImageKey) -> str:
    if key not in addresses:
        raise ImageError(f"the task has no image {key.index} for the tag {key.name!r}")
    return addresses[key]
