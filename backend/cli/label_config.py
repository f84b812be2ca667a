"""``dynamite label-config``: a labelling config that works with this backend."""

import shlex

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
    from backend.settings import load

    click.echo(write(labels, background))
    known = load().background_labels
    if background not in known or set(labels) & set(known):
        click.echo(
            f"Set DYNAMITE_BACKGROUND_LABELS={shlex.quote(background)} for the backend, so that it "
            "takes clicks of this label, and of no other, for background.",
            err=True,
        )
