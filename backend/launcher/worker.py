"""A worker for the queue: JSON only, each job in a fresh process that dies with the worker."""

import logging
from collections.abc import Sequence
from typing import Any

from redis import Redis
from rq import Queue, SpawnWorker
from rq.serializers import JSONSerializer

from dynamite.lifeline import die_with_parent

WORKER_SECONDS, MAINTENANCE_SECONDS, MONITORING_SECONDS = 25, 5, 5
"""With rq's defaults a job whose worker was killed is found only after many minutes."""


class Worker(SpawnWorker):
    """rq's spawning worker whose job processes do not outlive it."""

    def main_work_horse(self, *args: Any, **kwargs: Any) -> None:
        """Tie the job's process to the worker that started it, then do the job."""
        die_with_parent(self.pid or 0)
        super().main_work_horse(*args, **kwargs)


def work(url: str, queues: Sequence[str], *, burst: bool = False) -> None:
    """Work until told to stop; with ``burst`` until the queues are empty."""
    connection = Redis.from_url(url)
    sources = [Queue(name, connection=connection, serializer=JSONSerializer) for name in queues]
    worker = Worker(
        sources,
        connection=connection,
        serializer=JSONSerializer,
        worker_ttl=WORKER_SECONDS,
        maintenance_interval=MAINTENANCE_SECONDS,
        job_monitoring_interval=MONITORING_SECONDS,
    )
    logging.getLogger("rq.worker").setLevel(logging.WARNING)
    worker.work(burst=burst, logging_level="WARNING")
