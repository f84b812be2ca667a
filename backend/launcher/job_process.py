"""The process of one job. Its environment names the job and the queue server.

rq would write both into the command line, password included, where every user can read them.
"""

import os
import sys

from redis import Redis
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer

from backend.launcher.worker import JOB, LOG_LEVEL, MONITORING_SECONDS, QUEUE_URL, Worker
from backend.logs import log_from


def main() -> None:
    """Do the job for the worker that started this process."""
    # The level is not read from the settings: a broken settings file must not end a training.
    log_from(os.environ[LOG_LEVEL])
    name, job_id, execution_id, queue_name = (os.environ[variable] for variable in JOB)
    redis = Redis.from_url(os.environ[QUEUE_URL])
    key = Worker.redis_worker_namespace_prefix + name
    worker = Worker.find_by_key(key, connection=redis, serializer=JSONSerializer)
    if worker is None:  # the queue has just given it up
        sys.exit(1)
    worker.job_monitoring_interval = MONITORING_SECONDS
    try:
        job = Job.fetch(job_id, connection=redis, serializer=JSONSerializer)
        worker.execution = Execution.fetch(execution_id, job_id, connection=redis)
    except (NoSuchJobError, ValueError) as error:  # deleted or requested again at this moment
        sys.exit(f"job {job_id} is not done: {error}")
    worker.execution._job = job  # or it would fetch it again, with pickle
    worker.main_work_horse(job, Queue(queue_name, connection=redis, serializer=JSONSerializer))


if __name__ == "__main__":
    main()
