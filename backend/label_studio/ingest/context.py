"""What the jobs work with, opened for one job."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from backend.label_studio.access import known_access
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.task_images import open_fetcher
from backend.serving.image_cache import Fetcher
from backend.settings import Settings, load
from backend.settings.folders import store_folder
from training.annotation_store import AnnotationStore, StoreError, is_there


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
        store = stack.enter_context(_open_store(store_folder(settings), redis, anew=anew))
        api = None
        if access.url and access.token:
            api = stack.enter_context(LabelStudioApi(access.url, access.token))
        yield Context(settings, store, fetcher, redis, api)


def _open_store(folder: Path, redis: "Redis", *, anew: bool) -> AnnotationStore:
    """The store, unless it is gone: where a share was mounted there may be an empty folder."""
    known = f"dynamite:store:{folder}"
    if not anew and redis.exists(known) and not is_there(folder):
        raise StoreError(
            f"the annotation store {folder} is gone, or its share is not mounted: mount it, or "
            "begin a new one with `dynamite sync --project N --anew`"
        )
    store = AnnotationStore(folder)
    if store.change():
        redis.set(known, 1)
    return store
