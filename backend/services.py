"""Everything a request needs, opened once per process: model, images, sessions, queue, journal."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import g, has_request_context

from backend.device_thread import Urgency
from backend.engine import Engine
from backend.errors import sentence
from backend.job_queue import JobQueue
from backend.pictures import Pictures
from backend.prewarm import Prewarmer
from backend.session.store import SessionStore
from backend.settings import Settings
from backend.status.journal import Journal

if TYPE_CHECKING:
    from backend.features import FeatureCache

log = logging.getLogger(__name__)

Fetch = Callable[[str, str], bytes]
"""``fetch(address, task)``: the bytes of an image."""


@dataclass(frozen=True)
class Access:
    """Where Label Studio is, and the token it accepts."""

    url: str
    token: str | None


class Services:
    """What the routes work with; every part is safe to use from many threads."""

    def __init__(
        self,
        settings: Settings,
        *,
        engine: Engine,
        sessions: SessionStore,
        queue: JobQueue,
        open_fetch: Callable[[Access | None], Fetch],
        cache: "FeatureCache | None" = None,
    ) -> None:
        self.engine = engine
        self.sessions = sessions
        self.queue = queue
        self.cache = cache
        self.journal = Journal()
        self.background_labels = settings.background_labels
        self._open_fetch = open_fetch
        self._trust_setup = settings.trust_setup and settings.label_studio_url is None
        self._lock = threading.Lock()
        self._access = configured_access(settings)
        self._fetch = open_fetch(self._access)
        self.images = Pictures(self.fetch, settings.max_image_pixels)
        self._prewarmer = Prewarmer(self.warm)
        self.can_ask_label_studio = (
            settings.label_studio_url is not None and settings.label_studio_api_key is not None
        )

    @property
    def label_studio_address(self) -> str | None:
        """Where Label Studio is, as far as it is known."""
        return self._access.url if self._access else None

    def learn_label_studio(self, url: str, token: str) -> None:
        """Believe what Label Studio says of itself at /setup, unless the settings say otherwise."""
        access = Access(url.rstrip("/"), token)
        if not self._trust_setup or not url.startswith(("http://", "https://")):
            return
        with self._lock:
            if access == self._access:
                return
            moved = self._access is None or access.url != self._access.url
            self._access = access
            self._fetch = self._open_fetch(access)
        if moved:
            self.images.forget()
            log.info("Label Studio is at %s, as it says", access.url)

    def fetch(self, address: str, task: str) -> bytes:
        """The bytes of an image, from where Label Studio is known to be now."""
        return self._fetch(address, task)

    def prewarm(self, address: str, task: str) -> None:
        """Compute an image's features when there is nothing better to do."""
        self._prewarmer.ask(address, task)

    def warm(self, address: str, task: str) -> None:
        """Compute an image's features now, behind everybody else."""
        picture = self.images.open(address, task)
        self.engine.features(picture.digest, picture.pixels, urgency=Urgency.PREWARM)

    def report(self, code: str, error: Exception) -> None:
        """Note an error that the caller does not get to see."""
        request_id = g.request_id if has_request_context() else ""
        unexpected = code == "internal_error"
        log.error("%s: %s", request_id, sentence(error), exc_info=error if unexpected else None)
        self.journal.error(code, sentence(error), request_id)

    def close(self) -> None:
        """Stop all threads."""
        self._prewarmer.close()
        self.engine.close()
        self.queue.close()


def configured_access(settings: Settings) -> Access | None:
    """What the settings say about Label Studio."""
    if settings.label_studio_url is None:
        return None
    key = settings.label_studio_api_key
    url = str(settings.label_studio_url).rstrip("/")
    return Access(url, key.get_secret_value() if key else None)


def open_services(settings: Settings) -> Services:
    """Load the model, open caches and queue. Takes seconds; nothing is loaded later.

    Raises:
        DynamiteError: no weights, an unknown device, a folder that cannot be written.
    """
    from backend.features import FeatureCache  # noqa: PLC0415
    from backend.images.fetch import open_fetch  # noqa: PLC0415
    from backend.loading import load_model  # noqa: PLC0415

    model = load_model(settings)
    cache = FeatureCache(settings)
    return Services(
        settings,
        engine=Engine(model, cache),
        sessions=SessionStore(),
        queue=JobQueue(settings.queue_url, settings.state_dir / "spool"),
        open_fetch=lambda access: open_fetch(settings, access),
        cache=cache,
    )
