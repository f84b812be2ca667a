"""What webhooks and comparisons are processed with, and how CVAT is asked."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from redis import Redis

from backend.cvat.api import CvatApi, CvatError, NotThereError
from backend.cvat.collect.bookkeeping import Bookkeeping, bookkeeping_path
from backend.retraining.store import open_store
from backend.settings import Settings, load
from dynamite.errors import DynamiteError
from training.annotation_store import AnnotationStore

OWN_NAME = "if it is another CVAT, set DYNAMITE_CVAT_NAME to a name of its own"
"""The way out where several servers feed one store under the same name."""


class TryLaterError(DynamiteError):
    """Something is out of reach that may come back: the hint must wait."""


@dataclass(frozen=True)
class Collector:
    """What webhooks and comparisons are processed with.

    Attributes:
        settings: of this backend.
        store: where annotations go.
        bookkeeping: of the CVAT that they come from.
        redis: the queue server.
        api: the CVAT; None while its URL or token is not set.
    """

    settings: Settings
    store: AnnotationStore
    bookkeeping: Bookkeeping
    redis: Redis
    api: CvatApi | None

    @property
    def source(self) -> str:
        """The name of the CVAT, the source of its annotations."""
        return self.settings.cvat_name

    @property
    def cvat(self) -> CvatApi:
        """CVAT's API.

        Raises:
            TryLaterError: its URL or token is not set.
        """
        if self.api is None:
            raise TryLaterError(
                "CVAT cannot be asked: set DYNAMITE_CVAT_URL and DYNAMITE_CVAT_TOKEN"
            )
        return self.api

    def ask(self, path: str) -> Any:
        """Return what CVAT answers; None if it has no such thing.

        Raises:
            TryLaterError: it does not answer, refuses, or may be another CVAT.
        """
        api = self.cvat
        try:
            return api.get(path)
        except NotThereError:
            self._check_absence(api.url, path)
            return None
        except CvatError as error:
            raise TryLaterError(str(error)) from error

    def _check_absence(self, url: str, path: str) -> None:
        """Believe that something is gone only a server that is known to have had our tasks."""
        ours = any(project.source == self.source for project in self.store.projects())
        if ours and url not in self.bookkeeping.sites():
            raise TryLaterError(
                f"{url} has no {path}, and none of the tasks that annotations came from has been "
                f"seen there: nothing is deleted; {OWN_NAME}"
            )


@contextmanager
def open_collector(
    settings: Settings | None = None, *, new_store: bool = False
) -> Iterator[Collector]:
    """Open everything; close it at the end.

    Args:
        settings: read if not given.
        new_store: create the annotation store even if an earlier one is gone.

    Raises:
        StoreError: the annotation store or the bookkeeping cannot be opened.
    """
    settings = settings or load()
    with ExitStack() as stack:
        redis = stack.enter_context(Redis.from_url(settings.queue_url))
        store = stack.enter_context(open_store(settings, redis, new_store=new_store))
        bookkeeping = stack.enter_context(Bookkeeping(bookkeeping_path(settings)))
        bookkeeping.forget_after(store.change())
        api = None
        if settings.cvat_url is not None and settings.cvat_token is not None:
            token = settings.cvat_token.get_secret_value()
            api = stack.enter_context(CvatApi(str(settings.cvat_url), token))
        yield Collector(settings, store, bookkeeping, redis, api)
