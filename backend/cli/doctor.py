"""``dynamite doctor``: check the connection to Label Studio."""

import click

from backend.cli.addresses import told_access, web_address


@click.command()
@click.option(
    "--label-studio",
    "url",
    callback=web_address,
    help="Address of Label Studio [LABEL_STUDIO_URL].",
)
@click.option("--token", help="Access token of either kind [LABEL_STUDIO_API_KEY].")
@click.option("--project", type=int, help="Also check this project.")
@click.option(
    "--backend",
    "backend_url",
    callback=web_address,
    help="Address of the backend [where it would listen].",
)
def doctor(
    url: str | None, token: str | None, project: int | None, backend_url: str | None
) -> None:
    """Check the connection to Label Studio and say what to mend.

    Looks at the backend, its model and queue, Label Studio's address and token and, with
    --project, at the labelling config, the images, the connection, the webhook and the switches
    that guard private addresses. Without address and token it takes those that Label Studio named
    when it connected to the backend of this folder.
    """
    from backend.doctor.report import findings, report
    from backend.launcher.banner import address
    from backend.settings import load

    settings = load(label_studio_url=url, label_studio_api_key=token)
    found = findings(
        settings,
        *told_access(settings),
        project,
        (backend_url or address(settings)).rstrip("/"),
    )
    if report(found, click.echo):
        raise click.exceptions.Exit(1)
