"""``dynamite worker``: one more process that does the jobs of the queue."""

import logging

import click

log = logging.getLogger(__name__)


@click.command()
@click.option(
    "--queues",
    default="ingest",
    show_default=True,
    help="Queues to serve, comma separated: ingest, train, memory.",
)
@click.option("--gpus", help="GPUs that training may use, as in 0,1 [none].")
@click.option("--burst", is_flag=True, help="Stop when the queues are empty.")
@click.option("--quiet", is_flag=True, hidden=True)  # for serve, which reports its workers
def worker(queues: str, gpus: str | None, burst: bool, quiet: bool) -> None:
    """Run one more worker.

    `dynamite serve` starts one for each queue already. If the queue is on another machine, set
    REDIS_URL, and DYNAMITE_MODELS_DIR and DYNAMITE_RETRAINING_DIR to folders both machines see.

    \b
    Example: a machine that trains on two GPUs
      REDIS_URL=redis://server:6379 dynamite worker --queues train --gpus 0,1
    """
    from backend.jobs.job_queue import QUEUES
    from backend.launcher.valkey import wait_until_ready
    from backend.launcher.worker import work
    from backend.logs import log_from
    from backend.settings import load
    from backend.settings.log_options import log_options
    from backend.settings.url_checks import without_password

    names = [name.strip() for name in queues.split(",") if name.strip()]
    unknown = sorted(set(names) - {*QUEUES})
    if unknown or not names:
        raise click.UsageError(
            f"no such queue: {', '.join(unknown)}; there are {', '.join(QUEUES)}"
        )
    if gpus is not None and not all(part.strip().isdecimal() for part in gpus.split(",")):
        raise click.UsageError(f"--gpus {gpus!r} is not like 0,1")
    settings = load()
    log_from(**log_options(settings))
    wait_until_ready(settings.queue_url)
    level = logging.DEBUG if quiet else logging.INFO
    where = without_password(settings.queue_url)
    log.log(level, "the worker takes jobs of %s from the queue server %s", ", ".join(names), where)
    try:
        work(settings, names, burst=burst, gpus=gpus)
    finally:
        log.log(level, "the worker has stopped")
