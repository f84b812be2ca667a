"""``dynamite demo``: from nothing to the first mask."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path(".demo"),
    show_default=True,
    help="Where Label Studio and its data are kept.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8080,
    show_default=True,
    help="Port of Label Studio.",
)
@click.option(
    "--backend-port", type=click.IntRange(1, 65535), help="Port of the backend [default: 9090]."
)
def demo(folder: Path, port: int, backend_port: int | None) -> None:
    """Label Studio with a sample project, attached to the backend.

    Installs Label Studio into an environment of its own (once, about 1 GB), starts it and the
    backend on this machine only, makes a project with a few photos, and prints where to click.
    Set DYNAMITE_LABEL_STUDIO to an installed label-studio to use that one.
    """
    import os

    from backend.demo.run import run
    from backend.settings import variable

    if backend_port is not None:
        os.environ[variable("port")] = str(backend_port)
    run(folder, port, click.echo)
