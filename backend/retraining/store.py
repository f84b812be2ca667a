"""Opens the annotation store that trainings are made from."""

from redis import Redis

from backend.settings import Settings
from backend.settings.folders import store_folder
from training.annotation_store import AnnotationStore, StoreError, is_there


def open_store(settings: Settings, redis: Redis, *, new_store: bool = False) -> AnnotationStore:
    """Open the store, unless it is gone: an unmounted share leaves an empty folder.

    Args:
        settings: they name its folder.
        redis: remembers which stores have had annotations.
        new_store: begin a new store where one is gone.

    Raises:
        StoreError: the store cannot be opened, or is gone.
    """
    folder = store_folder(settings)
    known = f"dynamite:store:{folder}"
    if not new_store and redis.exists(known) and not is_there(folder):
        raise StoreError(
            f"the annotation store {folder} is gone, or its share is not mounted: mount it, or "
            "begin a new one with `dynamite sync --project N --new-store`"
        )
    store = AnnotationStore(folder)
    if store.change():
        redis.set(known, 1)
    return store
