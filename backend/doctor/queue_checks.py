"""Checks of the queue, of its workers, and of what they could not store."""

from collections.abc import Iterator

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue

from backend.doctor.findings import Finding, bad, good
from backend.jobs.job_queue import TRAIN, at_work, workers
from backend.jobs.queue_trial import refusal
from backend.retraining.status import Backlog, last_backlog
from backend.settings import Settings


def check_queue(settings: Settings) -> Iterator[Finding]:
    """Check that the queue takes jobs and has workers; report what they could not store."""
    try:
        with Redis.from_url(
            settings.queue_url, socket_connect_timeout=3, socket_timeout=5
        ) as client:
            if refused := refusal(client):
                message, _, remedy = refused.partition(": ")
                yield bad("queue", message, remedy)
                return
            backlog = last_backlog(client)
            names = at_work(memory=settings.memory)
            living = {name: workers(Queue(name, connection=client)) for name in names}
    except (RedisError, OSError, UnicodeError) as error:
        fix = "run `dynamite serve`, which starts it, or set REDIS_URL to another one"
        yield bad("queue", f"the queue server does not answer ({error})", fix)
        return
    yield good("queue", "the queue server answers and takes jobs")
    yield from _workers(living, settings)
    if backlog is not None:
        yield _annotations(backlog)


def _workers(living: dict[str, int], settings: Settings) -> Iterator[Finding]:
    missing = [
        name
        for name, count in living.items()
        if not count and (settings.train_worker or name != TRAIN)
    ]
    for name in missing:
        yield bad(
            "workers",
            f"none takes the jobs of {name}: it has ended, or has given no sign of life for 85 s",
            f"start `dynamite worker --queues {name}`, or start `dynamite serve` again",
        )
    if not missing:
        counts = ", ".join(f"{name}: {count}" for name, count in living.items())
        yield good("workers", f"they live ({counts})")


def _annotations(backlog: Backlog) -> Finding:
    if backlog.waiting:
        message = f"events waiting: {backlog.waiting}; the last: {backlog.waits_for}"
        fix = (
            "fix that; they are retried with each comparison (DYNAMITE_RECONCILE_MINUTES), or "
            "every 15 minutes if comparisons are off, for two weeks"
        )
        return bad("annotations", message, fix)
    if backlog.set_aside:
        listed = "`dynamite annotations rejected` lists them"
        return good("annotations", f"none waiting; set aside: {backlog.set_aside}, {listed}")
    return good("annotations", "none waiting, none set aside")
