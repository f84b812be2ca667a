"""The jobs of the queue ``ingest``: the names they are called by, and when they are due."""

from typing import TYPE_CHECKING

from backend.jobs.schedule import PeriodicJob

if TYPE_CHECKING:
    from backend.settings import Settings

EVENT_JOB = f"{__package__}.jobs.collect_event"
RECONCILE_JOB = f"{__package__}.jobs.reconcile_cvat"
JOBS = (EVENT_JOB, RECONCILE_JOB)

RETRY_MINUTES = 15.0
"""How often hints are looked into again if jobs are never compared with CVAT."""


def periodic_jobs(settings: "Settings") -> list[PeriodicJob]:
    """Return those that are due by the clock; none while CVAT is off or cannot be asked."""
    if not settings.cvat or settings.cvat_token is None:
        return []
    return [PeriodicJob(RECONCILE_JOB, 60 * (settings.reconcile_minutes or RETRY_MINUTES))]
