"""What fetches the images of tasks, as the settings allow."""

from typing import Protocol

from backend.label_studio.access import Access
from backend.label_studio.task_images import FetchedImage, FetchSettings, ImageFetcher
from backend.settings import Settings


class Fetcher(Protocol):
    """What is needed of ``ImageFetcher``."""

    def fetch(self, value: str, task_id: int | str | None = None) -> FetchedImage:
        """The bytes of an image and their digest."""


def open_fetcher(settings: Settings, access: Access) -> ImageFetcher:
    """What fetches images, from Label Studio as it is known and from the allowed hosts."""
    return ImageFetcher(
        FetchSettings(
            label_studio_url=access.url,
            token=access.token,
            hosts=settings.image_hosts,
            local_root=settings.local_files_root,
            timeout=settings.image_timeout,
            max_bytes=settings.max_image_bytes,
        )
    )
