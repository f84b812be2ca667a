"""What events and comparisons are processed with."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from redis import Redis

from backend.label_studio.access import known_access
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.ingest.bookkeeping import Bookkeeping, bookkeeping_path
from backend.label_studio.task_images import open_fetcher
from backend.retraining.store import open_store
from backend.serving.image_cache import Fetcher
from backend.settings import Settings, load
from dynamite.errors import DynamiteError
from training.annotation_store import AnnotationStore


class TryLaterError(DynamiteError):
    """Something is out of reach that may come back: the event must wait."""


@dataclass(frozen=True)
class Ingest:
    """What events and comparisons are processed with.

    Attributes:
        settings: of this backend.
        store: where annotations go.
        bookkeeping: of the Label Studio that they come from.
        images: fetches the images of tasks.
        redis: the queue server.
        api: the Label Studio; None while its URL or token is unknown.
    """

    settings: Settings
    store: AnnotationStore
    bookkeeping: Bookkeeping
    images: Fetcher
    redis: Redis
    api: LabelStudioApi | None

    @property
    def source(self) -> str:
        """The name of the Label Studio, the source of its annotations."""
        return self.settings.label_studio_name


@contextmanager
def open_ingest(settings: Settings | None = None, *, new_store: bool = False) -> Iterator[Ingest]:
    """Open everything; close it at the end.

    Args:
        settings: read if not given.
        new_store: create the annotation store even if an earlier one is gone.

    Raises:
        StoreError: the annotation store or the bookkeeping cannot be opened.
    """
    settings = settings or load()
    access = known_access(settings)
    fetcher = open_fetcher(settings, access)
    with ExitStack() as stack:
        redis = stack.enter_context(Redis.from_url(settings.queue_url))
        store = stack.enter_context(open_store(settings, redis, new_store=new_store))
        bookkeeping = stack.enter_context(Bookkeeping(bookkeeping_path(settings)))
        bookkeeping.forget_compared_after(store.change())
        api = None
        if access.url and access.token:
            api = stack.enter_context(LabelStudioApi(access.url, access.token))
        yield Ingest(settings, store, bookkeeping, fetcher, redis, api)
