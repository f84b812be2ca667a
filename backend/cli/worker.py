"""``dynamite worker``: one more process that takes jobs from the queue."""

import click


@click.command()
@click.option(
    "--queues", default="ingest", show_default=True, help="Queues to serve, comma separated."
)
@click.option("--burst", is_flag=True, help="Stop when the queues are empty.")
def worker(queues: str, burst: bool) -> None:
    """Run one more worker for the queue.

    `dynamite serve` starts one already. Set REDIS_URL where the queue is on another machine.
    """
    import logging

    from backend.launcher.valkey import wait_until_ready
    from backend.launcher.worker import work
    from backend.settings import load

    logging.basicConfig(format="%(asctime)s %(levelname)-7s %(message)s", level=logging.INFO)
    settings = load()
    wait_until_ready(settings.queue_url)
    work(settings.queue_url, [name.strip() for name in queues.split(",")], burst=burst)
