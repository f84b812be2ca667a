"""Where Label Studio is, as far as it is known, and the images of its tasks."""

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from backend.errors import ImageRefusedError
from backend.fetch.url import Url
from backend.images.pixel_budget import PixelBudget
from backend.label_studio.access import (
    Access,
    completed,
    configured_access,
    keep,
    known_access,
)
from backend.label_studio.task_images import open_fetcher
from backend.label_studio.token_trial import TokenTrial, Verdict, try_access
from backend.serving.image_cache import ImageCache, LazyImage
from backend.serving.stages import Observe, unobserved
from backend.settings import Settings

log = logging.getLogger(__name__)

CONFIRM_SECONDS = 1.0
"""How long Label Studio may take to confirm a token: it waits for /setup itself, for three."""


class Connection:
    """The Label Studio of one serving process. Safe to use from many threads."""

    def __init__(
        self,
        settings: Settings,
        budget: PixelBudget | None = None,
        outside: Callable[[], AbstractContextManager[object]] = nullcontext,
        observe: Observe = unobserved,
    ) -> None:
        """Open no image yet.

        Args:
            settings: name Label Studio, or leave that to ``learn``.
            budget: of the pixels of all tools together.
            outside: surrounds each fetch.
            observe: is told how long fetching and decoding take.
        """
        self._settings = settings
        self._lock = threading.Lock()
        self._access = configured_access(settings)
        self._trial = TokenTrial()
        self.images = ImageCache(
            open_fetcher(settings, self._access),
            settings.max_image_pixels,
            budget,
            outside,
            observe,
        )

    @property
    def address(self) -> str | None:
        """Where Label Studio is; None before it is known."""
        return self._access.url

    @property
    def access(self) -> Access:
        """Where Label Studio is, and the token for it, as far as they are known."""
        return self._access

    @property
    def can_ask(self) -> bool:
        """Whether the settings name an address and a token, so that workers can ask back."""
        settings = self._settings
        return settings.label_studio_url is not None and settings.label_studio_api_key is not None

    @property
    def verdict(self) -> Verdict | None:
        """What Label Studio says of the token; None while it has not been tried."""
        return self._trial.verdict

    def try_token(self, *, may_be_away: bool = False) -> None:
        """Begin to try the token, if an address is known, without waiting for Label Studio.

        ``may_be_away``: Label Studio may not have started yet.
        """
        if self._access.url is not None:
            self._trial.begin(self._access, may_be_away=may_be_away)

    def learn(self, url: str, token: str, *, is_proven: bool) -> None:
        """Believe what Label Studio says of itself at /setup, where the settings say nothing.

        What is known already is given up for a caller that ``is_proven``, else only if Label Studio
        confirms it: a program on this machine could point the backend elsewhere.

        Raises:
            ImageError: no image can be fetched with that address and token, or nobody confirms it.
        """
        if not self._settings.trust_setup or not url.startswith(("http://", "https://")):
            return
        told = Access(url.rstrip("/"), token or None)
        access = completed(configured_access(self._settings), told)
        if access == self._access:
            return
        Url.parse(told.url or "")  # before anyone is asked at it
        known = self._access if self._access.url else known_access(self._settings)
        if not is_proven and not may_replace(known, access, is_accepted):
            raise ImageRefusedError(
                f"Label Studio is known at {known.url}; {access.url} and its token are not "
                "confirmed, and the caller has no password"
            )
        with self._lock:
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


def may_replace(known: Access, told: Access, is_accepted: Callable[[Access], bool]) -> bool:
    """Return whether an address and token from an unproven caller may replace what is known.

    ``is_accepted`` asks Label Studio. The same Label Studio has a token for each person; another
    one replaces it only if the known one does not answer any more.
    """
    if known.url is None or known == told:
        return True
    if known.url == told.url:
        return is_accepted(told) or not is_accepted(known)
    return is_accepted(told) and not is_accepted(known)


def is_accepted(access: Access) -> bool:
    """Return whether a Label Studio answers at an address and accepts the token."""
    return try_access(access, CONFIRM_SECONDS).is_good
