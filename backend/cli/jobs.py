"""``dynamite jobs``: trainings and their progress."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from redis import Redis
    from rich.table import Table

    from backend.retraining.status import TrainingState


UNDER_WAY = ("started", "queued", "waiting")


@click.command()
@click.option("--watch", is_flag=True, help="Show progress bars until no training is left.")
@click.option("--cancel", metavar="JOB", help="Cancel a training, whether it waits or runs.")
def jobs(watch: bool, cancel: str | None) -> None:
    """Show training jobs and their progress."""
    from redis import Redis

    from backend.cli.printing import print_table
    from backend.launcher.valkey import wait_until_ready
    from backend.own_command import as_typed
    from backend.retraining.cancelling import cancel_training
    from backend.retraining.status import all_trainings
    from backend.settings import load

    settings = load()
    wait_until_ready(settings.queue_url)
    with Redis.from_url(settings.queue_url) as redis:
        if cancel is not None:
            click.echo(cancel_training(redis, cancel))
            return
        if watch:
            follow(redis)
        states = all_trainings(redis)
        if not states:
            click.echo(as_typed("no training yet: `dynamite retrain` requests one"))
            return
        print_table(table(states))


def table(states: "Sequence[TrainingState]") -> "Table":
    """Return the trainings as a table, the newest first."""
    from rich.table import Table

    found = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("job", "state", "when (UTC)", "because of", ""):
        found.add_column(name, overflow="fold")
    for state in states:
        found.add_row(state.job, state.status, state.when, state.reason, state.words)
    return found


def follow(redis: "Redis") -> None:
    """Show a bar for each training until none is left; plain lines where there is no terminal."""
    import time

    from rich.console import Console

    from backend.retraining.status import all_trainings
    from training.progress import progress_bar

    with progress_bar(Console(), elapsed=False) as bars:
        rows = {}
        while active := [s for s in all_trainings(redis) if s.status in UNDER_WAY]:
            for state in active:
                if state.job not in rows:
                    rows[state.job] = bars.add_task(state.job, total=None)
                bars.update(
                    rows[state.job],
                    description=f"{state.job} {state.phase or state.status}",
                    completed=state.done or 0,
                    total=state.total,
                    seconds_left=state.seconds_left,
                )
                if not bars.console.is_terminal:
                    click.echo(f"{state.job}: {state.words or state.status}")
            time.sleep(1 if bars.console.is_terminal else 10)
