"""``dynamite doctor``: checks the connection to Label Studio or CVAT."""

import click

from backend.cli.addresses import cvat_access, cvat_settings, label_studio_access, web_address


@click.command()
@click.option(
    "--label-studio",
    "url",
    callback=web_address,
    help="Address of Label Studio  [LABEL_STUDIO_URL]",
)
@click.option("--cvat", "cvat_url", callback=web_address, help="Check CVAT at this address.")
@click.option(
    "--token", help="Access token, of any kind  [LABEL_STUDIO_API_KEY, DYNAMITE_CVAT_TOKEN]"
)
@click.option("--project", type=int, help="Also check the project with this number.")
@click.option(
    "--backend",
    "backend_url",
    callback=web_address,
    help="Address of the backend  [default: as in the settings]",
)
def doctor(
    url: str | None,
    cvat_url: str | None,
    token: str | None,
    project: int | None,
    backend_url: str | None,
) -> None:
    """Check the connection to Label Studio or CVAT and say how to fix it.

    Checks the backend, its model and queue, and Label Studio's address and token. With --project,
    also checks the labelling config, the images, the connection, the webhook and Label Studio's
    guards against private addresses. Without an address and a token, uses those that Label Studio
    sent when it connected to the backend.

    With --cvat, checks CVAT instead: its address and token, whether it knows the interactor, and
    with --project the webhook.

    \b
    Examples:
      dynamite doctor --label-studio http://localhost:8080 --token TOKEN --project 1
      dynamite doctor --cvat http://localhost:8080 --token TOKEN
    """
    from backend.doctor.cvat_checks import cvat_findings
    from backend.doctor.report import findings, report
    from backend.launcher.banner import address
    from backend.settings import load

    if cvat_url:
        settings = cvat_settings(cvat_url, token)
        at = (backend_url or address(settings)).rstrip("/")
        found = cvat_findings(settings, *cvat_access(settings), project, at)
    else:
        settings = load(label_studio_url=url, label_studio_api_key=token)
        at = (backend_url or address(settings)).rstrip("/")
        found = findings(settings, *label_studio_access(settings), project, at)
    if report(found, click.echo):
        raise click.exceptions.Exit(1)
