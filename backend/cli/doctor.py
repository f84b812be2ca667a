"""``dynamite doctor``: check the connection to Label Studio."""

import click


@click.command()
@click.option("--label-studio", "url", help="Address of Label Studio [LABEL_STUDIO_URL].")
@click.option("--token", help="Access token of either kind [LABEL_STUDIO_API_KEY].")
@click.option("--project", type=int, help="Also check this project.")
@click.option("--backend", "backend_url", help="Address of the backend [where it would listen].")
def doctor(
    url: str | None, token: str | None, project: int | None, backend_url: str | None
) -> None:
    """Check the connection to Label Studio and say what to mend.

    Looks at the backend, its model and queue, Label Studio's address and token and, with
    --project, at the labelling config, the images, the connection, the webhook and the switches
    that guard private addresses.
    """
    from backend.doctor.report import findings, report
    from backend.launcher.banner import address
    from backend.settings import load

    settings = load(label_studio_url=url, label_studio_api_key=token)
    if settings.label_studio_url is None or settings.label_studio_api_key is None:
        raise click.UsageError(
            "give --label-studio and --token, or set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY"
        )
    found = findings(
        settings,
        str(settings.label_studio_url).rstrip("/"),
        settings.label_studio_api_key.get_secret_value(),
        project,
        (backend_url or address(settings)).rstrip("/"),
    )
    if report(found, click.echo):
        raise click.exceptions.Exit(1)
