"""``dynamite demo``: Label Studio with a sample project and the backend."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path(".demo"),
    show_default=True,
    help="Folder of Label Studio and its data.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8080,
    show_default=True,
    help="Port of Label Studio.",
)
@click.option(
    "--backend-port", type=click.IntRange(1, 65535), help="Port of the backend  [default: 9090]"
)
def demo(folder: Path, port: int, backend_port: int | None) -> None:
    """Run Label Studio with a sample project and the backend, until Ctrl-C.

    Installs Label Studio into its own environment (once, about 1 GB), starts it and the backend
    for this machine only, creates a project with a few photos, and prints where to click. To use an
    installed label-studio instead, set DYNAMITE_LABEL_STUDIO to its path.

    \b
    Example:
      dynamite demo --port 8081 --backend-port 9091
    """
    import os

    from backend.demo.run import run
    from backend.settings import variable

    if backend_port is not None:
        os.environ[variable("port")] = str(backend_port)
    run(folder, port, click.echo)
