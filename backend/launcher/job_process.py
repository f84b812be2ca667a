"""The process of one job. Its environment names the job, its worker and the queue server.

rq would write them into the command line, password included, where every user can read them. It
would also ask the queue server for the worker, which may have forgotten it while the machine slept.
"""

import json
import logging
import os

from redis import Redis
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.executions import Execution
from rq.serializers import JSONSerializer

from backend import request_id
from backend.jobs.rq_repair import put_back
from backend.launcher.allowed_jobs import AllowedJob
from backend.launcher.rq_worker import JOB, LOGGING, MONITORING_SECONDS, QUEUE_URL, Worker
from backend.logs import log_from

log = logging.getLogger(__name__)


def main() -> None:
    """Do the job for the worker that started this process."""
    # This is not read from the settings: a broken settings file must not end a training.
    log_from(**json.loads(os.environ.pop(LOGGING)))
    name, pid, job_id, execution_id, queue_name = (os.environ[variable] for variable in JOB)
    redis = Redis.from_url(os.environ[QUEUE_URL])
    queue = Queue(queue_name, redis, job_class=AllowedJob, serializer=JSONSerializer)
    worker = Worker(
        [queue],
        name,
        connection=redis,
        serializer=JSONSerializer,
        job_monitoring_interval=MONITORING_SECONDS,
        prepare_for_work=False,  # it is at work, in the parent
    )
    worker.pid = int(pid)
    try:
        job = AllowedJob.fetch(job_id, connection=redis, serializer=JSONSerializer)
    except NoSuchJobError:
        log.warning("job %s is not done: it has been deleted", job_id)
        return
    request_id.follow_in(job.meta)
    execution = Execution(execution_id, job_id, connection=redis, worker_name=name)
    try:
        execution.refresh()  # type: ignore[no-untyped-call]
    except ValueError:  # the machine slept at this moment, or the job was requested anew
        log.warning("job %s is not done now: it was taken too long ago", job_id)
        queue.started_job_registry.remove_execution(execution)
        put_back(queue, job)
        return
    execution._job = job  # or it would fetch it again, with pickle
    worker.execution = execution
    worker.main_work_horse(job, queue)


if __name__ == "__main__":
    main()
