"""Opens the annotation store, unless it has disappeared with its share."""

from redis import Redis

from backend.settings import Settings
from backend.settings.folders import store_folder
from training.annotation_store import AnnotationStore, StoreError, is_there


def open_store(settings: Settings, redis: Redis, *, new: bool = False) -> AnnotationStore:
    """Open the annotation store; create it if there has never been one.

    Args:
        settings: say where it is.
        redis: remembers that there is one: an empty folder may be a mount point without its share.
        new: create the store even if an earlier one is gone.

    Raises:
        StoreError: it cannot be opened, or it is gone.
    """
    folder = store_folder(settings)
    known = f"dynamite:store:{folder}"
    if not new and redis.exists(known) and not is_there(folder):
        raise StoreError(
            f"the annotation store {folder} is gone, or its share is not mounted: mount it, or "
            "create a new one with `dynamite sync --project N --new-store`"
        )
    store = AnnotationStore(folder)
    if store.change():
        redis.set(known, 1)
    return store
