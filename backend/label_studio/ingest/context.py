"""What the jobs work with, opened for one job."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from redis import Redis

from backend.label_studio.access import known_access
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.fetching import Fetcher, open_fetcher
from backend.retraining.store import open_store
from backend.settings import Settings, load
from training.annotation_store import AnnotationStore


@dataclass(frozen=True)
class Context:
    """``api`` is None as long as nobody has said where Label Studio is."""

    settings: Settings
    store: AnnotationStore
    images: Fetcher
    redis: "Redis"
    api: LabelStudioApi | None


@contextmanager
def open_context(settings: Settings | None = None, *, anew: bool = False) -> Iterator[Context]:
    """Open everything; close it at the end.

    Raises:
        StoreError: the annotation store cannot be opened, or is gone and not to be begun ``anew``.
    """
    settings = settings or load()
    access = known_access(settings)
    fetcher = open_fetcher(settings, access)
    with ExitStack() as stack:
        redis = stack.enter_context(Redis.from_url(settings.queue_url))
        store = stack.enter_context(open_store(settings, redis, anew=anew))
        api = None
        if access.url and access.token:
            api = stack.enter_context(LabelStudioApi(access.url, access.token))
        yield Context(settings, store, fetcher, redis, api)
