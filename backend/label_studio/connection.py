"""Where Label Studio is, as far as it is known, and the images of its tasks."""

import logging
import threading

from backend.label_studio.access import Access, completed, configured_access, keep
from backend.label_studio.task_images import open_fetcher
from backend.serving.image_cache import ImageCache, LazyImage
from backend.settings import Settings

log = logging.getLogger(__name__)


class Connection:
    """The Label Studio of one serving process. Safe to use from many threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._access = configured_access(settings)
        self.images = ImageCache(open_fetcher(settings, self._access), settings.max_image_pixels)

    @property
    def address(self) -> str | None:
        """Where Label Studio is; None before it is known."""
        return self._access.url

    @property
    def can_ask(self) -> bool:
        """Whether the settings name an address and a token, so that workers can ask back."""
        settings = self._settings
        return settings.label_studio_url is not None and settings.label_studio_api_key is not None

    def learn(self, url: str, token: str) -> None:
        """Believe what Label Studio says of itself at /setup, where the settings say nothing.

        Raises:
            ImageError: no image can be fetched with that address and token.
        """
        if not self._settings.trust_setup or not url.startswith(("http://", "https://")):
            return
        told = Access(url.rstrip("/"), token or None)
        access = completed(configured_access(self._settings), told)
        with self._lock:
            if access == self._access:
                return
            self.images.use(open_fetcher(self._settings, access))
            self._access = access
            keep(access, self._settings)
        log.info("Label Studio is at %s, as it says", access.url)

    def open_image(self, address: str, task: str) -> LazyImage:
        """Return the image at an address of a task's data.

        Raises:
            ImageError: it cannot be fetched.
        """
        return self.images.open(address, task)
