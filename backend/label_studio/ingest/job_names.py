"""The jobs of the queue ``ingest``: the names they are called by, and when they are due."""

from typing import TYPE_CHECKING

from backend.jobs.schedule import PeriodicJob

if TYPE_CHECKING:
    from backend.settings import Settings

EVENT_JOB = f"{__package__}.jobs.ingest_event"
RECONCILE_JOB = f"{__package__}.jobs.reconcile"
JOBS = (EVENT_JOB, RECONCILE_JOB)

RETRY_MINUTES = 15.0
"""How often deferred events are retried if projects are never compared with Label Studio."""


def periodic_jobs(settings: "Settings") -> list[PeriodicJob]:
    """Return those that are due by the clock."""
    minutes = settings.reconcile_minutes or RETRY_MINUTES
    return [PeriodicJob(RECONCILE_JOB, 60 * minutes)]
