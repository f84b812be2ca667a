"""The jobs of the queue ``ingest``, called by name, with JSON values, in a process of their own."""

import logging
from typing import Any

log = logging.getLogger(__name__)


def collect_event(event: dict[str, Any]) -> str:
    """Look into what a webhook hinted at (``Webhooks.receive``); return what was done, in words."""
    from backend.cvat.collect.collector import TryLaterError, open_collector  # noqa: PLC0415
    from backend.cvat.collect.hints import look_into  # noqa: PLC0415
    from backend.cvat.collect.waiting import publish_waiting  # noqa: PLC0415
    from backend.errors import BadRequestError  # noqa: PLC0415

    kind, number, source = (event.get(key) for key in ("kind", "number", "source"))
    if kind not in ("job", "task", "project") or not isinstance(number, int):
        log.warning("an event is refused: it names no job, task or project")
        return "refused"
    with open_collector() as collector:
        if source != collector.source:
            words = f"refused: it comes from {source!r}, this worker serves {collector.source!r}"
            log.warning("%s: give each CVAT a queue server of its own (REDIS_URL)", words)
            return words
        try:
            words = look_into(collector, (kind, number))
            collector.bookkeeping.stop_waiting((kind, number))
        except TryLaterError as error:
            collector.bookkeeping.wait((kind, number), str(error))
            words = f"{kind} {number} waits: {error}"
        except BadRequestError as error:  # another attempt would not help
            words = f"refused: {kind} {number}: {error}"
        publish_waiting(collector.bookkeeping, collector.redis)
    log.info("%s", words)
    return words


def reconcile_cvat() -> str:
    """Compare all known projects and tasks with CVAT, for webhooks that were lost."""
    from backend.cvat.collect.collector import open_collector  # noqa: PLC0415
    from backend.cvat.collect.sync import reconcile_all  # noqa: PLC0415

    with open_collector() as collector:
        words = reconcile_all(collector)
    log.debug("%s", words)  # it runs every quarter of an hour
    return words
