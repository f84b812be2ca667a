"""A worker for the queues: JSON only, each job in a fresh process that dies with the worker."""

import os
import sys
from collections.abc import Sequence
from typing import Any

from redis import Redis
from rq import Queue, SpawnWorker
from rq.job import Job
from rq.serializers import JSONSerializer

from backend.jobs.housekeeping import Janitor
from backend.settings import Settings
from dynamite.lifeline import die_with_parent

WORKER_SECONDS, MAINTENANCE_SECONDS, MONITORING_SECONDS = 25, 5, 5
"""With rq's defaults a job whose worker was killed is found only after many minutes."""


NICE = 5
"""People wait for the web server, nobody for a job: where cores are few, it comes first."""


JOB = ("RQ_WORKER_ID", "RQ_JOB_ID", "RQ_EXECUTION_ID", "RQ_JOB_QUEUE")
QUEUE_URL, LOG_LEVEL = "RQ_JOB_QUEUE_URL", "RQ_JOB_LOG_LEVEL"
"""Variables of a job's process: which job it is for, where the queue is, what to log."""


class Worker(SpawnWorker):
    """rq's spawning worker whose job processes do not outlive it, nor show the queue's password."""

    queue_url, log_level = "", "info"

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """Start the process of a job, leader of a group of its own."""
        values = (self.name, job.id, self.execution.id if self.execution else "", queue.name)
        environment = os.environ | dict(zip(JOB, values, strict=True))
        environment |= {QUEUE_URL: self.queue_url, LOG_LEVEL: self.log_level}
        command = [sys.executable, "-P", "-m", "backend.launcher.job_process"]
        self._horse_pid = os.posix_spawn(sys.executable, command, environment, setpgroup=0)

    def main_work_horse(self, *args: Any, **kwargs: Any) -> None:
        """Tie the job's process to the worker that started it, then do the job."""
        die_with_parent(self.pid or 0)
        super().main_work_horse(*args, **kwargs)


def work(
    settings: Settings, queues: Sequence[str], *, burst: bool = False, gpus: str | None = None
) -> None:
    """Work until told to stop; with ``burst`` until the queues are empty.

    ``gpus`` are the numbers of the GPUs that its jobs may use, none unless told: the one that
    serves is not trained on.
    """
    os.nice(NICE)
    os.environ["CUDA_VISIBLE_DEVICES"] = gpus or ""
    connection = Redis.from_url(settings.queue_url)
    sources = [Queue(name, connection=connection, serializer=JSONSerializer) for name in queues]
    worker = Worker(
        sources,
        connection=connection,
        serializer=JSONSerializer,
        worker_ttl=WORKER_SECONDS,
        maintenance_interval=MAINTENANCE_SECONDS,
        job_monitoring_interval=MONITORING_SECONDS,
    )
    worker.queue_url, worker.log_level = settings.queue_url, settings.log_level
    janitor = Janitor(settings, queues)
    janitor.start()
    try:
        worker.work(burst=burst, logging_level="WARNING")
    finally:
        janitor.close()
