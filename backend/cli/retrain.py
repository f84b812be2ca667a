"""``dynamite retrain``: train on what has been accepted, now."""

import click


@click.command()
@click.option("--line", help="Line of models [the one served here].")
@click.option("--force", is_flag=True, help="Also on data that have been trained on already.")
def retrain(line: str | None, force: bool) -> None:
    """Ask for a training on the accepted annotations, now.

    The training runs in a worker; `dynamite jobs --watch` shows its progress.
    """
    from backend.label_studio.ingest.context import open_context
    from backend.launcher.valkey import wait_until_ready
    from backend.retraining.requesting import request_training
    from backend.settings import load

    settings = load()
    if line is not None and line not in settings.all_lines:
        known = ", ".join(settings.all_lines)
        raise click.UsageError(
            f"no project trains a line {line!r}, only {known}: set DYNAMITE_LINES"
        )
    wait_until_ready(settings.queue_url)
    with open_context(settings) as context:
        line = line or settings.line
        store, redis = context.store, context.redis
        click.echo(request_training(settings, store, redis, line, "dynamite retrain", force=force))
