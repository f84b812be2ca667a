"""The jobs of the queue ``ingest``, called by name, with JSON values, in a process of their own."""

import logging
from typing import Any

from rq import get_current_job

log = logging.getLogger(__name__)


def ingest_event(event: dict[str, Any]) -> str:
    """Process the event of a webhook (``webhooks.receive``); return what was done, in words.

    The first attempt goes on with other events in the queue. Later attempts do not: one of those
    events may have killed the process.
    """
    from backend.errors import BadRequestError  # noqa: PLC0415
    from backend.jobs.job_queue import RETRIES  # noqa: PLC0415
    from backend.label_studio.ingest.draining import process_queued  # noqa: PLC0415
    from backend.label_studio.ingest.events import process_event  # noqa: PLC0415
    from backend.label_studio.ingest.ingest import open_ingest  # noqa: PLC0415
    from backend.label_studio.ingest.retries import publish_backlog  # noqa: PLC0415

    job = get_current_job()
    with open_ingest() as ingest:
        try:
            words = _logged(process_event(event, ingest))
        except BadRequestError as error:  # another attempt would not help
            words = f"refused: {error}"
            log.warning("an event is refused: %s", error)
        first = job is not None and job.retries_left == RETRIES
        if first and (more := process_queued(ingest)):
            log.info("%d more events", more)
        publish_backlog(ingest.store, ingest.bookkeeping, ingest.redis)
    return words


def reconcile() -> str:
    """Compare all known projects with Label Studio, for webhooks that were lost.

    Events that wait are tried again even if the settings turn the comparison off.
    """
    from backend.label_studio.ingest.ingest import open_ingest  # noqa: PLC0415
    from backend.label_studio.ingest.sync import reconcile_projects  # noqa: PLC0415

    with open_ingest() as ingest:
        projects = None if ingest.settings.reconcile_minutes else ()
        words = reconcile_projects(ingest, projects)
        return _logged(words, logging.DEBUG)  # it runs every quarter of an hour


def _logged(words: str, level: int = logging.INFO) -> str:
    log.log(level, "%s", words)
    return words
