"""``dynamite segment``: segments one image from the coordinates of clicks."""

import json
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backend.cli.steps import steps
from backend.launcher.environment import calm_threads
from dynamite.network.config import PRESETS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dynamite.clicks import ClickSet
    from dynamite.predict.predictor import Segmentation

Point = tuple[float, float]
OVERLAY_SUFFIXES = (".png", ".jpg")


class Points(click.ParamType["list[Point]"]):
    """A list of points ``x,y``, separated by semicolons."""

    name = "x,y[;x,y]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[Point]:
        """Parse the points."""
        points = []
        for text in str(value).split(";"):
            try:
                x, y = (float(part) for part in text.split(","))
            except ValueError:
                self.fail(f"{text!r} is not a point: write x,y in pixels, as in 120,80", param, ctx)
            points.append((x, y))
        return points


@click.command()
@click.argument("image", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--object",
    "objects",
    type=Points(),
    multiple=True,
    required=True,
    help="Clicks on one object; repeat the option for each object.",
)
@click.option("--background", type=Points(), multiple=True, help="Clicks on the background.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write an image with masks, contours and clicks.",
)
@click.option(
    "--masks",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write masks as COCO RLE in JSON.",
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default="lite",
    show_default=True,
    help="Model preset.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="File of the weights  [default: the shipped ones of lite]",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, …")
def segment(
    *,
    image: Path,
    objects: tuple[list[Point], ...],
    background: tuple[list[Point], ...],
    out: Path | None,
    masks: Path | None,
    preset: str,
    checkpoint: Path | None,
    device: str,
) -> None:
    """Segment one image from the coordinates of clicks.

    Coordinates are x,y in pixels from the top left corner: 0.5,0.5 is the middle of the first
    pixel. Each --object is one object. The masks of all
    objects are computed together and never overlap.

    \b
    Example:
      dynamite segment photo.jpg --object 120,80 --object "300,200;340,260" \\
          --background 10,10 --out overlay.png --masks masks.json
    """
    if out is None and masks is None:
        raise click.UsageError("give an output: --out overlay.png, --masks masks.json, or both")
    if checkpoint is None and preset != "lite":
        raise click.UsageError(f"no weights ship for --preset {preset}: give --checkpoint FILE")
    if out is not None and out.suffix.lower() not in OVERLAY_SUFFIXES:
        raise click.UsageError(f"--out {out}: the name must end in {' or '.join(OVERLAY_SUFFIXES)}")
    for option, path in (("--out", out), ("--masks", masks)):
        if path is not None and not path.parent.is_dir():
            raise click.UsageError(f"{option} {path}: there is no folder {path.parent}")
    calm_threads()
    with steps(4) as begin:
        begin(f"Reading {image.name}")
        pixels, clicks = read(image, objects, background)
        begin(f"Loading {preset}")
        import dynamite
        from backend.serving.loading import choose_device

        model = dynamite.load(preset, checkpoint, device=choose_device(device))
        predictor = dynamite.Predictor(model)
        begin("Computing the features of the image")
        features = predictor.encode(pixels)
        begin("Segmenting")
        result = predictor.segment(features, clicks)
    if out is not None:
        write_overlay(out, pixels, result, clicks)
    if masks is not None:
        write_masks(masks, image, result, model.version)
    for index, mask in enumerate(result.masks):
        size = f"{mask.sum():>9,} pixels ({mask.mean():.1%})"
        click.echo(f"object {index + 1}: {size}, score {result.scores[index]:.2f}")


def read(
    image: Path, objects: Sequence[list[Point]], background: Sequence[list[Point]]
) -> "tuple[NDArray[np.uint8], ClickSet]":
    """Read the image, uint8 H×W×3 RGB, and check that the clicks lie in it."""
    from backend.errors import ImageError
    from backend.images.decode import decode
    from dynamite import Click, ClickSet, InvalidInputError

    times = count()
    clicks = ClickSet(
        [[Click(x, y, next(times)) for x, y in points] for points in objects],
        [Click(x, y, next(times)) for points in background for x, y in points],
    )
    try:
        pixels = decode(image.read_bytes(), max_pixels=500_000_000)
    except ImageError as error:
        raise click.ClickException(f"{image}: {error}") from None
    try:
        clicks.check_inside(*pixels.shape[:2])
    except InvalidInputError as error:
        raise click.UsageError(str(error)) from None
    return pixels, clicks


def write_overlay(path: Path, pixels: "object", result: "Segmentation", clicks: "ClickSet") -> None:
    """Write the image with its masks and clicks drawn over it."""
    import cv2
    import numpy as np

    from backend.cli.overlay import overlay

    picture = overlay(np.asarray(pixels, np.uint8), result.label_map, clicks)
    _, data = cv2.imencode(path.suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    path.write_bytes(data.tobytes())
    click.echo(f"{path}: {picture.shape[1]}×{picture.shape[0]} picture")


def write_masks(path: Path, image: Path, result: "Segmentation", version: str) -> None:
    """Write the masks as COCO RLE, in the order of the objects."""
    import numpy as np
    from pycocotools import mask as coco

    entries = []
    for mask, score in zip(result.masks, result.scores, strict=True):
        rle = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        entries.append(
            {
                "segmentation": {"size": rle["size"], "counts": rle["counts"].decode("ascii")},
                "area": int(mask.sum()),
                "bbox": [round(float(value), 1) for value in coco.toBbox(rle)],
                "score": round(float(score), 4),
            }
        )
    document = {"image": image.name, "model_version": version, "objects": entries}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    click.echo(f"{path}: {len(entries)} masks")
