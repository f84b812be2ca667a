"""``dynamite doctor``: checks the connection to Label Studio."""

import click

from backend.cli.addresses import label_studio_access, web_address


@click.command()
@click.option(
    "--label-studio",
    "url",
    callback=web_address,
    help="Address of Label Studio  [LABEL_STUDIO_URL]",
)
@click.option("--token", help="Access token, personal or legacy  [LABEL_STUDIO_API_KEY]")
@click.option("--project", type=int, help="Also check the project with this number.")
@click.option(
    "--backend",
    "backend_url",
    callback=web_address,
    help="Address of the backend  [default: as in the settings]",
)
def doctor(
    url: str | None, token: str | None, project: int | None, backend_url: str | None
) -> None:
    """Check the connection to Label Studio and say how to fix it.

    Checks the backend, its model and queue, and Label Studio's address and token. With --project,
    also checks the labelling config, the images, the connection, the webhook and Label Studio's
    guards against private addresses. Without an address and a token, uses those that Label Studio
    sent when it connected to the backend.

    \b
    Example:
      dynamite doctor --label-studio http://localhost:8080 --token TOKEN --project 1
    """
    from backend.doctor.report import findings, report
    from backend.launcher.banner import address
    from backend.settings import load

    settings = load(label_studio_url=url, label_studio_api_key=token)
    found = findings(
        settings,
        *label_studio_access(settings),
        project,
        (backend_url or address(settings)).rstrip("/"),
    )
    if report(found, click.echo):
        raise click.exceptions.Exit(1)
