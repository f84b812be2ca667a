"""``dynamite label-config``: a labelling config that works with this backend."""

import click


@click.command()
@click.argument("labels", nargs=-1, required=True, metavar="LABEL...")
@click.option(
    "--background",
    default="Background",
    show_default=True,
    help="Label whose clicks mean: no object here.",
)
def label_config(labels: tuple[str, ...], background: str) -> None:
    """Write a labelling config that works.

    Paste it into Project → Settings → Labeling Interface → Code. All clicks of a label are one
    object until they are accepted; to have several objects of a kind pending at a time, give each
    a label of its own:

    \b
        dynamite label-config Car "Person 1" "Person 2"
    """
    from backend.label_studio.labeling_config import write

    click.echo(write(labels, background))
