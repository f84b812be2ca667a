"""Retraining's jobs of the queue ``ingest``, called by name, each in a process of its own."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from redis import Redis

from backend.jobs.schedule import PeriodicJob
from backend.settings import Settings, load

if TYPE_CHECKING:
    from training.annotation_store import AnnotationStore

log = logging.getLogger(__name__)

REQUEST_JOB, CLEAN_JOB = f"{__name__}.request_training", f"{__name__}.clean"
CLEAN_SECONDS = 6 * 3600.0

PERIODIC = (PeriodicJob(CLEAN_JOB, CLEAN_SECONDS),)
"""What is due by the clock whatever the settings say."""


@contextmanager
def opened() -> "Iterator[tuple[Settings, AnnotationStore, Redis]]":
    """Open what the jobs work with: settings, annotation store and queue server.

    Raises:
        StoreError: the annotation store cannot be opened, or is gone.
    """
    from backend.retraining.store import open_store  # noqa: PLC0415

    settings = load()
    with Redis.from_url(settings.queue_url) as redis, open_store(settings, redis) as store:
        yield settings, store, redis


def request_training(line: str, reason: str, force: bool = False) -> str:
    """Request a training of a line on what is accepted now; return what came of it."""
    from backend.retraining import requesting  # noqa: PLC0415

    with opened() as (settings, store, redis):
        try:
            words = requesting.request_training(
                settings, store, redis, line, reason, force=force, only_publishable=not force
            )
        except requesting.TooFewHeldOutError as error:
            words = str(error)
    log.info("%s", words)
    return words


def clean() -> str:
    """Remove images, snapshots, runs and model versions that are not needed any more."""
    from backend.retraining.cleanup import clean_up  # noqa: PLC0415

    with opened() as (settings, store, redis):
        words = clean_up(settings, store, redis)
    log.debug("%s", words)
    return words
