"""A worker for the queue: JSON only, each job in a fresh process that dies with the worker."""

import logging
from collections.abc import Sequence
from typing import Any

from redis import Redis
from rq import Queue, SpawnWorker
from rq.serializers import JSONSerializer

from backend.launcher.lifeline import die_with_parent

HEARTBEAT = {"worker_ttl": 25, "maintenance_interval": 5, "job_monitoring_interval": 5}
"""Seconds; rq's defaults find a job whose worker was killed only after many minutes."""


class Worker(SpawnWorker):  # type: ignore[misc]
    """rq's spawning worker whose job processes do not outlive it."""

    def main_work_horse(self, *args: Any, **kwargs: Any) -> None:
        """Tie the job's process to the worker that started it, then do the job."""
        die_with_parent(self.pid)
        super().main_work_horse(*args, **kwargs)


def work(url: str, queues: Sequence[str], *, burst: bool = False) -> None:
    """Work until told to stop; with ``burst`` until the queues are empty."""
    connection = Redis.from_url(url)
    sources = [Queue(name, connection=connection, serializer=JSONSerializer) for name in queues]
    worker = Worker(sources, connection=connection, serializer=JSONSerializer, **HEARTBEAT)
    logging.getLogger("rq.worker").setLevel(logging.WARNING)
    worker.work(burst=burst, logging_level="WARNING")
