"""``dynamite retrain``: request a training on the accepted annotations."""

import click


@click.command()
@click.option("--line", help="Line of models [the one served here].")
@click.option(
    "--force", is_flag=True, help="Also on data that have been trained on, or too few to publish."
)
def retrain(line: str | None, force: bool) -> None:
    """Request a training on the annotations accepted so far.

    Refuses if too few images are held out to judge the result, which then could not be published.
    The training runs in a worker; `dynamite jobs --watch` shows its progress.
    """
    from redis import Redis

    from backend.launcher.valkey import wait_until_ready
    from backend.own_command import as_typed
    from backend.retraining.requesting import request_training
    from backend.retraining.store import open_store
    from backend.settings import load

    settings = load()
    if line is not None and line not in settings.all_lines:
        known = ", ".join(settings.all_lines)
        raise click.UsageError(
            f"no project trains a line {line!r}, only {known}: set DYNAMITE_LINES"
        )
    wait_until_ready(settings.queue_url)
    line = line or settings.line
    with Redis.from_url(settings.queue_url) as redis, open_store(settings, redis) as store:
        words = request_training(
            settings,
            store,
            redis,
            line,
            "dynamite retrain",
            force=force,
            only_publishable=not force,
        )
        click.echo(as_typed(words))
