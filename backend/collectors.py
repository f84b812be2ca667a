"""The jobs that the annotation tools' collectors bring along: what workers call, and when.

Beside ``composition`` the one module that knows which tools there are. It loads none of them.
"""

from typing import TYPE_CHECKING

from backend.cvat.collect import job_names as cvat
from backend.jobs.schedule import PeriodicJob
from backend.label_studio.ingest import job_names as label_studio

if TYPE_CHECKING:
    from backend.settings import Settings

JOBS = frozenset({*label_studio.JOBS, *cvat.JOBS})
"""The names of all their jobs."""


def periodic_jobs(settings: "Settings") -> list[PeriodicJob]:
    """Return their jobs that are due by the clock."""
    return [*label_studio.periodic_jobs(settings), *cvat.periodic_jobs(settings)]
