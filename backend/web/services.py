"""Everything a request needs, opened once per process: model, images, sessions, queue, journal."""

import logging
import threading
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from flask import g, has_request_context

from backend.errors import sentence
from backend.jobs.job_queue import JobQueue
from backend.label_studio import known_projects
from backend.label_studio.access import Access, completed, configured_access, keep, unused_token
from backend.label_studio.fetching import open_fetcher
from backend.retraining.status import (
    Asked,
    Backlog,
    TrainingState,
    last_asked,
    last_backlog,
    last_training,
)
from backend.serving.admission import Admission
from backend.serving.answer_log import AnswerLog
from backend.serving.device_thread import Urgency
from backend.serving.engine import Engine, Model
from backend.serving.error_journal import ErrorJournal
from backend.serving.image_cache import ImageCache
from backend.serving.meters import Meters
from backend.serving.model_watcher import ModelWatcher
from backend.serving.page_models import PageModels
from backend.serving.prewarm import Prewarmer
from backend.session.store import SessionStore
from backend.settings import Settings, typo_warnings
from backend.settings.folders import open_registry
from dynamite.errors import DynamiteError
from dynamite.registry import Current, Registry, RegistryError

if TYPE_CHECKING:
    from backend.features.cache import FeatureCache
    from dynamite.predict.features import ImageFeatures

log = logging.getLogger(__name__)


class Services:
    """What the routes work with; every part is safe to use from many threads."""

    def __init__(
        self,
        settings: Settings,
        *,
        engine: Engine,
        sessions: SessionStore,
        queue: JobQueue,
        cache: "FeatureCache[ImageFeatures] | None" = None,
        watcher: ModelWatcher | None = None,
        meters: Meters | None = None,
    ) -> None:
        self.engine = engine
        self.meters = meters or Meters()
        self.sessions = sessions
        self.queue = queue
        self.cache = cache
        self.watcher = watcher
        self.page_models = PageModels(sessions.has_pending)
        self.admission = Admission(settings.threads)
        self.journal = ErrorJournal()
        self.answers = AnswerLog(settings.queue_url)
        self.background_labels = settings.background_labels
        self.image_timeout = settings.image_timeout
        self._settings = settings
        self._lock = threading.Lock()
        self._access = configured_access(settings)
        if words := unused_token(settings):
            log.warning("%s", words)
        for words in typo_warnings():
            log.warning("%s", words)
        self.images = ImageCache(open_fetcher(settings, self._access), settings.max_image_pixels)
        self._prewarmer = Prewarmer(self.warm)
        self.can_ask_label_studio = (
            settings.label_studio_url is not None and settings.label_studio_api_key is not None
        )

    @property
    def label_studio_address(self) -> str | None:
        """Where Label Studio is, as far as it is known."""
        return self._access.url

    def learn_label_studio(self, url: str, token: str) -> None:
        """Believe what Label Studio says of itself at /setup, where the settings say nothing.

        Raises:
            ImageError: no image can be fetched with that.
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

    def note_project(self, number: int) -> None:
        """Remember that a project has connected; /setup does not wait for it."""
        self.answers.write(lambda redis: known_projects.note(redis, number))

    def prewarm(self, address: str, task: str) -> None:
        """Compute an image's features when there is nothing better to do."""
        self._prewarmer.ask(address, task)

    def warm(self, address: str, task: str) -> None:
        """Compute an image's features now, behind everybody else."""
        picture = self.images.open(address, task)
        self.engine.features(picture.digest, picture.pixels, urgency=Urgency.PREWARM)

    def report(self, code: str, error: Exception) -> None:
        """Note an error that the caller does not get to see."""
        # Within label-studio-ml's own server there is a request, but none of ours.
        request_id = g.get("request_id", "") if has_request_context() else ""
        unexpected = code == "internal_error"
        log.error("%s: %s", request_id, sentence(error), exc_info=error if unexpected else None)
        self.journal.error(code, sentence(error), request_id)

    def training(self) -> TrainingState | None:
        """The last training of the line that is served here."""
        return self.queue.ask(lambda redis: last_training(redis, self._settings.line))

    def asked(self) -> Asked | None:
        """What came of asking for a training last."""
        return self.queue.ask(lambda redis: last_asked(redis, self._settings.line))

    def backlog(self) -> Backlog | None:
        """What is accepted but waits, or was set aside."""
        return self.queue.ask(last_backlog)

    def versions(self) -> dict[str, object]:
        """The versions there are, the one that answers first, and how training stands."""
        serving = self.engine.model.version
        try:
            others = [v.name for v in open_registry(self._settings).versions()]
        except RegistryError:  # away: the watcher's problem says so
            others = []
        training, asked = self.training(), self.asked()
        return {
            "versions": [serving, *(name for name in reversed(others) if name != serving)],
            "training": None if training is None else asdict(training),
            "asked": None if asked is None else asdict(asked),
            "problem": self.watcher.problem if self.watcher else None,
        }

    def alarm(self, words: str) -> None:
        """Note that a new version of the model cannot be used."""
        log.error("%s", words)
        self.journal.error("model_rejected", words)

    def close(self) -> None:
        """Stop all threads."""
        if self.watcher is not None:
            self.watcher.close()
        self._prewarmer.close()
        self.engine.close()
        self.queue.close()
        self.answers.close()
        if self.cache is not None:
            self.cache.close()


def open_services(settings: Settings) -> Services:
    """Load the model, open caches and queue. Takes seconds; nothing is loaded later.

    Raises:
        DynamiteError: no weights, an unknown device, a folder that cannot be written.
    """
    from backend.features.opening import open_cache  # noqa: PLC0415
    from backend.serving.loading import load_model  # noqa: PLC0415

    registry = open_registry(settings)
    model, entry = load_current(settings, registry)
    cache = open_cache(settings, model.device)
    meters = Meters()
    engine = Engine(model, cache, meters.encodes.observe)
    services = Services(
        settings,
        engine=engine,
        sessions=SessionStore(),
        queue=JobQueue(settings.queue_url, settings.state_dir / "spool"),
        cache=cache,
        meters=meters,
    )
    services.watcher = ModelWatcher(
        registry,
        load=lambda weights: load_model(settings, weights),
        swap=engine.swap,
        alarm=services.alarm,
        serving=entry.version,
        number=entry.number,
    )
    services.watcher.start()
    return services


def load_current(settings: Settings, registry: Registry) -> tuple[Model, Current]:
    """The current version; where it cannot be used, the last one that can, or what is configured.

    The watcher finds that out again, says so and tries on.
    """
    from backend.serving.loading import load_model  # noqa: PLC0415

    try:
        entry = registry.current()
    except DynamiteError as error:
        log.warning("the versions cannot be read: %s", error)
        return load_model(settings), Current()
    for name in (entry.version, *entry.history):
        if not name:
            break
        try:
            version = registry.get(name)
            version.verify()
            return load_model(settings, version.weights), replace(entry, version=name)
        except DynamiteError as error:
            log.warning("version %s cannot be used: %s", name, error)
    return load_model(settings), replace(entry, version=None)
