"""The jobs of the queue ``ingest``: from Label Studio's events to the annotation store and on.

Each is called by name with JSON values, by a worker, in a process of its own.
"""

import logging
from typing import TYPE_CHECKING, Any

from rq import get_current_job

from backend.jobs.schedule import PeriodicJob

if TYPE_CHECKING:
    from backend.settings import Settings

log = logging.getLogger(__name__)

EVENT_JOB = f"{__name__}.ingest_event"

RETRY_MINUTES = 15.0
"""How often deferred events are retried if projects are never compared with Label Studio."""


def periodic_jobs(settings: "Settings") -> list[PeriodicJob]:
    """Return the adapter's jobs that are due by the clock."""
    minutes = settings.reconcile_minutes or RETRY_MINUTES
    return [PeriodicJob(f"{__name__}.reconcile", 60 * minutes)]


def ingest_event(event: dict[str, Any]) -> str:
    """Take one webhook: ``{"body", "verified", "received_at"}``; says what was done with it.

    Those that wait are taken along, but not when this one is tried again: one of them may have
    been what killed the process.
    """
    from backend.errors import BadRequestError  # noqa: PLC0415
    from backend.jobs.job_queue import RETRIES  # noqa: PLC0415
    from backend.label_studio.ingest.context import open_context  # noqa: PLC0415
    from backend.label_studio.ingest.draining import take_along  # noqa: PLC0415
    from backend.label_studio.ingest.events import take  # noqa: PLC0415
    from backend.label_studio.ingest.retries import tell_backlog  # noqa: PLC0415

    job = get_current_job()
    with open_context() as context:
        try:
            told = _logged(take(event, context))
        except BadRequestError as error:  # it would be as bad at the next attempt
            told = f"refused: {error}"
            log.warning("an event is refused: %s", error)
        first = job is not None and job.retries_left == RETRIES
        if first and (more := take_along(context)):
            log.info("%d more events", more)
        tell_backlog(context)
    return told


def reconcile() -> str:
    """Compare all known projects with Label Studio: what webhooks did not bring.

    Where the settings say never, what had to wait is tried again all the same.
    """
    from backend.label_studio.ingest.context import open_context  # noqa: PLC0415
    from backend.label_studio.ingest.sync import reconcile_projects  # noqa: PLC0415

    with open_context() as context:
        projects = None if context.settings.reconcile_minutes else ()
        words = reconcile_projects(context, projects)
        return _logged(words, logging.DEBUG)  # every quarter of an hour


def _logged(words: str, level: int = logging.INFO) -> str:
    log.log(level, "%s", words)
    return words
