"""Jobs that bring what is kept of a project to the newest state: at most one of each project."""

from dataclasses import dataclass

from redis import Redis
from rq import Queue, Retry
from rq.job import JobStatus
from rq.serializers import JSONSerializer

from backend.jobs.job_queue import find_job
from backend.jobs.schedule import is_coming

RETRIES = 2
"""Further attempts at a job that was killed or failed."""

FAILURE_SECONDS = 3600
"""How long a state at which a job failed is left alone."""


@dataclass(frozen=True)
class ProjectJob:
    """A kind of job.

    Attributes:
        name: that their ids begin with.
        function: the path of the function that does it, called with a source and a number.
        queue: it waits in.
        seconds: longest time of a job.
    """

    name: str
    function: str
    queue: str
    seconds: int

    def ask(self, redis: Redis, source: str, number: int, change: int, weights: str) -> None:
        """Enqueue the job of a project, unless one is coming or has failed at this state.

        Args:
            redis: connection to the queue server.
            source: of the project.
            number: of the project.
            change: of its annotations, the newest.
            weights: that are served.
        """
        job_id = f"{self.name}-{source}-{number}"
        meta = {"change": change, "weights": weights}
        job = find_job(redis, job_id)
        if job is not None:
            has_failed = job.meta == meta and job.get_status() == JobStatus.FAILED
            if is_coming(job) or has_failed:
                return
            job.delete()
        Queue(self.queue, connection=redis, serializer=JSONSerializer).enqueue(
            self.function,
            source,
            number,
            job_id=job_id,
            description=f"{self.name}: project {number} of {source}",
            job_timeout=self.seconds,
            retry=Retry(max=RETRIES),
            result_ttl=FAILURE_SECONDS,
            failure_ttl=FAILURE_SECONDS,
            meta=meta,
        )
