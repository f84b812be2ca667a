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
@click.option(
    "--output",
    type=click.Choice(["brush", "bitmask", "polygon", "vector"]),
    default="brush",
    show_default=True,
    help="What masks come as. Brush and bitmask keep every pixel.",
)
@click.option(
    "--more-like-this", is_flag=True, help="Add the label that asks for all objects of a kind."
)
@click.option("--no-boxes", is_flag=True, help="Leave out the labels of boxes.")
@click.option("--no-painting", is_flag=True, help="Hide the labels of masks.")
def label_config(
    labels: tuple[str, ...],
    background: str,
    output: str,
    more_like_this: bool,
    no_boxes: bool,
    no_painting: bool,
) -> None:
    """Write a labelling config for this backend.

    Paste the output into Project → Settings → Labeling Interface → Code. It has a row of labels for
    clicks, one for boxes and one for painting by hand, each with a heading. All clicks of a label
    belong to one object until its mask is accepted. To work on several objects of a kind at once,
    give each its own label.

    Take brush (every release of Label Studio) or bitmask (from 1.21 on, smaller, quicker on large
    photos). Polygons lose holes, and soften edges by DYNAMITE_POLYGON_TOLERANCE pixels. Vectors
    (from 1.22 on) do so too, and take no clicks: what lies under one can only be corrected from
    outside it.

    With --more-like-this, there is a label more: a click with it on a mask proposes every further
    object of that kind (docs/label-studio.md).

    \b
    Examples:
      dynamite label-config Car "Person 1" "Person 2"
      dynamite label-config --output bitmask Cup Plate
      dynamite label-config --more-like-this --no-boxes --no-painting Nucleus
    """
    from backend.label_studio.config_writer import write
    from backend.settings import load

    settings = load()
    like = next(iter(settings.like_labels), "") if more_like_this else ""
    if more_like_this and not like:
        raise click.UsageError("DYNAMITE_LIKE_LABELS names no label: set one, or leave it out")
    rows = {"boxes": not no_boxes, "painting": not no_painting}
    click.echo(write(labels, background, output=output, like=like, **rows))
    known = settings.background_labels
    if background not in known or set(labels) & set(known):
        click.echo(
            f"Set DYNAMITE_BACKGROUND_LABELS={shlex.quote(background)} for the backend, so that "
            "clicks of this label, and of no other, mark background.",
            err=True,
        )
