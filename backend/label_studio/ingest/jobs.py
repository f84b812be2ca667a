"""The jobs of the queue ``ingest``: from Label Studio's events to the annotation store and on.

Each is called by name with JSON values, by a worker, in a process of its own.
"""

import logging
from typing import Any

from rq import get_current_job

log = logging.getLogger(__name__)


def ingest_event(event: dict[str, Any]) -> str:
    """Take one webhook: ``{"body", "verified", "received_at"}``; says what was done with it.

    Those that wait are taken along, but not when this one is tried again: one of them may have
    been what killed the process.
    """
    from backend.errors import BadRequestError  # noqa: PLC0415
    from backend.jobs.job_queue import ATTEMPTS_MORE  # noqa: PLC0415
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
        first = job is not None and job.retries_left == ATTEMPTS_MORE
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


def request_training(line: str, reason: str, force: bool = False) -> str:
    """Have a line of models trained on what has been accepted by now."""
    from backend.label_studio.ingest.context import open_context  # noqa: PLC0415
    from backend.retraining import requesting  # noqa: PLC0415

    with open_context() as context:
        store, redis = context.store, context.redis
        asked = requesting.request_training(
            context.settings, store, redis, line, reason, force=force
        )
        return _logged(asked)


def clean() -> str:
    """Remove what nothing needs any more: images, snapshots, runs, old model versions."""
    from backend.label_studio.ingest.context import open_context  # noqa: PLC0415
    from backend.retraining.cleanup import clean_up  # noqa: PLC0415

    with open_context() as context:
        return _logged(clean_up(context.settings, context.store, context.redis), logging.DEBUG)


def _logged(words: str, level: int = logging.INFO) -> str:
    log.log(level, "%s", words)
    return words
