"""``dynamite label-config``: writes a labelling config for this backend."""

import shlex

import click


@click.command()
@click.argument("labels", nargs=-1, required=True, metavar="LABEL...")
@click.option(
    "--background",
    default="Background",
    show_default=True,
    help="Label whose clicks mark background.",
)
def label_config(labels: tuple[str, ...], background: str) -> None:
    """Write a labelling config for this backend.

    Paste the output into Project → Settings → Labeling Interface → Code. All clicks of a label
    belong to one object until its mask is accepted. To work on several objects of a kind at once,
    give each its own label.

    \b
    Example:
      dynamite label-config Car "Person 1" "Person 2"
    """
    from backend.label_studio.labeling_config import write
    from backend.settings import load

    click.echo(write(labels, background))
    known = load().background_labels
    if background not in known or set(labels) & set(known):
        click.echo(
            f"Set DYNAMITE_BACKGROUND_LABELS={shlex.quote(background)} for the backend, so that "
            "clicks of this label, and of no other, mark background.",
            err=True,
        )
