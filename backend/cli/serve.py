"""``dynamite serve``: runs the backend with its queue and workers."""

import os
from pathlib import Path

import click


@click.command()
@click.option("--host", help="Address to listen on  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on  [default: 9090]")
@click.option("--preset", help="Model preset  [default: lite]")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="File of the weights.")
@click.option("--device", help="auto, cpu, cuda, cuda:1, …  [default: auto]")
@click.option("--devices", help="A web server for each: 0,1 (GPUs) or cpu,cpu; needs HAProxy.")
@click.option("--state-dir", type=click.Path(path_type=Path), help="Folder for all state.")
@click.option(
    "--no-worker", is_flag=True, help="Start no workers: `dynamite worker` does elsewhere."
)
def serve(no_worker: bool, devices: str | None, **options: object) -> None:
    """Run the backend with its queue and workers, until Ctrl-C.

    Options override settings; `dynamite settings` lists all settings and their environment
    variables.

    --devices starts a web server for each device, on --port and the ports after it, beside one
    queue and one set of workers. It prints the lines that HAProxy needs to give them one address
    (docs/team.md).

    \b
    Examples:
      dynamite serve --port 9091 --device cuda:1
      dynamite serve --port 9091 --devices 0,1
    """
    from backend.launcher.devices import parse_devices
    from backend.launcher.serve import serve as run
    from backend.settings import load, variable

    if devices and options["device"]:
        raise click.UsageError("--device and --devices exclude each other")

    for name, value in options.items():
        if value not in (None, "", Path()):  # Path() comes from an empty "$VARIABLE"
            os.environ[variable(name)] = str(value)  # where the child processes read it
    chosen = parse_devices(devices) if devices else ()
    run(load(), click.echo, with_worker=not no_worker, devices=chosen)
