"""``dynamite next``: which tasks to annotate first."""

import click

from backend.cli.addresses import label_studio_access, label_studio_option, token_option

SHOWN = 10


@click.command()
@click.option("--project", type=int, required=True, help="Number of a project of Label Studio.")
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=SHOWN,
    show_default=True,
    help="How many tasks to list.",
)
@label_studio_option
@token_option
def next(project: int, most: int, url: str | None, token: str | None) -> None:  # noqa: A001
    """List the unlabelled tasks on which the model is least sure, the least sure first.

    A task's score is that of its newest prediction, which pre-labelling writes
    (DYNAMITE_PRELABEL_PROJECTS, then "Retrieve Predictions"). Tasks without a prediction come last.

    \b
    Example: the three tasks to annotate first
      dynamite next --project 3 --most 3
    """
    from backend.cli.printing import counted
    from backend.label_studio.api import LabelStudioApi
    from backend.label_studio.least_sure import least_sure
    from backend.settings import load

    settings = load(label_studio_url=url, label_studio_api_key=token)
    with LabelStudioApi(*label_studio_access(settings)) as api:
        found = least_sure(api, project)
    for one in found[:most]:
        click.echo(f"task {one.number:>6}  " + ("-" if one.score is None else f"{one.score:.2f}"))
    unknown = sum(one.score is None for one in found)
    click.echo(
        f"{counted(len(found), 'unlabelled task')}, {unknown} without a prediction"
        if found
        else "every task is labelled"
    )
