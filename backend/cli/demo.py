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
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the backend  [default: 9090]")
@click.option(
    "--label-studio-port",
    type=click.IntRange(1, 65535),
    default=8080,
    show_default=True,
    help="Port of Label Studio.",
)
@click.option(
    "--label-studio",
    "program",
    envvar="DYNAMITE_LABEL_STUDIO",
    help="An installed label-studio to use: its name or path  [DYNAMITE_LABEL_STUDIO]",
)
def demo(folder: Path, port: int | None, label_studio_port: int, program: str | None) -> None:
    """Run Label Studio with a sample project and the backend, until Ctrl-C.

    Installs Label Studio into its own environment (once, about 1 GB) unless --label-studio names an
    installed one. Starts it and the backend for this machine only, creates a project with a few
    photos, and prints where to click.

    \b
    Examples:
      dynamite demo --port 9091 --label-studio-port 8081
      dynamite demo --label-studio ~/label-studio/bin/label-studio
    """
    import os

    from backend.demo.run import run
    from backend.settings import variable

    if port is not None:
        os.environ[variable("port")] = str(port)
    run(folder, label_studio_port, click.echo, program=program)
