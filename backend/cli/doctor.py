"""``dynamite doctor``: checks the connection to Label Studio or CVAT."""

import click

from backend.cli.addresses import (
    backend_address,
    backend_option,
    cvat_access,
    cvat_settings,
    label_studio_access,
    label_studio_option,
    token_option,
    web_address,
)


@click.command()
@label_studio_option
@click.option("--cvat", "cvat_url", callback=web_address, help="Check CVAT at this address.")
@token_option
@click.option("--project", type=int, help="Also check the project with this number.")
@backend_option
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
    from backend.settings import load

    if cvat_url:
        settings = cvat_settings(cvat_url, token)
        at = backend_address(settings, backend_url)
        found = cvat_findings(settings, *cvat_access(settings), project, at)
    else:
        settings = load(label_studio_url=url, label_studio_api_key=token)
        at = backend_address(settings, backend_url)
        found = findings(settings, *label_studio_access(settings), project, at)
    if report(found, click.echo):
        raise click.exceptions.Exit(1)
