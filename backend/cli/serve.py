"""``dynamite serve``: the backend with everything it needs."""

import os
from pathlib import Path

import click


@click.command()
@click.option("--host", help="Address to listen on [default: 127.0.0.1].")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on [default: 9090].")
@click.option("--preset", help="Model configuration [default: lite].")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Weights to use.")
@click.option("--device", help="auto, cpu, cuda, cuda:1, … [default: auto].")
@click.option("--state-dir", type=click.Path(path_type=Path), help="Folder of cache and queue.")
@click.option("--no-worker", is_flag=True, help="Leave the queue to workers elsewhere.")
def serve(no_worker: bool, **options: object) -> None:
    """Run the backend with its queue and workers, until Ctrl-C.

    Every option is also a setting with an environment variable; `dynamite settings` lists them
    all.
    """
    from backend.launcher.serve import serve as run
    from backend.settings import load, variable

    for name, value in options.items():
        if value not in (None, "", Path()):  # "$UNSET" is no folder, least of all this one
            os.environ[variable(name)] = str(value)  # the processes started read it there
    run(load(), click.echo, with_worker=not no_worker)
