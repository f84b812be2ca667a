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
@click.option("--no-boxes", is_flag=True, help="Leave out the labels of boxes.")
@click.option("--no-painting", is_flag=True, help="Hide the labels of the brush.")
def label_config(
    labels: tuple[str, ...], background: str, no_boxes: bool, no_painting: bool
) -> None:
    """Write a labelling config for this backend.

    Paste the output into Project → Settings → Labeling Interface → Code. It has a row of labels for
    clicks, one for boxes and one for painting by hand, each with a heading. All clicks of a label
    belong to one object until its mask is accepted. To work on several objects of a kind at once,
    give each its own label.

    \b
    Examples:
      dynamite label-config Car "Person 1" "Person 2"
      dynamite label-config --no-boxes --no-painting Nucleus
    """
    from backend.label_studio.config_writer import write
    from backend.settings import load

    click.echo(write(labels, background, boxes=not no_boxes, painting=not no_painting))
    known = load().background_labels
    if background not in known or set(labels) & set(known):
        click.echo(
            f"Set DYNAMITE_BACKGROUND_LABELS={shlex.quote(background)} for the backend, so that "
            "clicks of this label, and of no other, mark background.",
            err=True,
        )
