"""Draw a sheet of held-out objects with the masks that one click gives, to look at.

    python -m benchmarks.sheet lite --data SETS --out docs/images/one-click.jpg

The objects are always the same: of held-out images under licences that let them be shown, the
largest few of each image, each clicked once in its middle, alone. Beside the picture, a text file
names the photographs.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.by_size import HOLDOUT
from dynamite import ClickSet
from dynamite.drawing import color, mark_clicks, outline, tint
from training.data.catalog import open_dataset, split
from training.data.sample import Sample
from training.evaluation.gestures import GESTURES
from training.evaluation.model_segmenter import load_segmenter
from training.evaluation.segmenter import Segmenter

SETS = ("coco_train2017", "coco_val2017_extra")

LICENCES = ("Attribution License", "Attribution-ShareAlike License", "No known")
"""The beginnings of the licences whose images may be shown."""

COLUMNS, ROWS = 6, 4
TILE = (240, 180)
"""Width and height of a picture, in pixels."""

MOST, SMALLEST = 8, 12
"""Objects of an image, and the side in pixels of the smallest: the square root of its area."""

AROUND = 1.7
"""Width and height of what is shown, in those of the object's box."""


@dataclass(frozen=True)
class Shown:
    """An object of the sheet: its sample, its index in it, and where the photograph is from."""

    sample: Sample
    index: int
    source: str


def main() -> None:
    options = parse()
    segmenter = load_segmenter(options.model, threads=1)
    objects = list(chosen(options.data))
    tiles = [tile(segmenter, one) for one in objects]
    tiles += [np.full((TILE[1], TILE[0], 3), 255, np.uint8)] * (COLUMNS * ROWS - len(tiles))
    rows = [np.hstack(tiles[at : at + COLUMNS]) for at in range(0, COLUMNS * ROWS, COLUMNS)]
    sheet = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(options.out), sheet, [cv2.IMWRITE_JPEG_QUALITY, 82])
    sources = "\n".join(dict.fromkeys(one.source for one in objects))
    options.out.with_suffix(".txt").write_text(sources + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", help="a preset or a checkpoint file")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, required=True, help="the picture, a .jpg")
    return parser.parse_args()


def chosen(root: Path) -> Iterator[Shown]:
    """Yield the objects of the sheet, the sets in turn."""
    queues = [of_set(name, root) for name in SETS]
    left = COLUMNS * ROWS
    while left and queues:
        for queue in list(queues):
            found = list(islice(queue, min(left, MOST)))
            if not found:
                queues.remove(queue)
            left -= len(found)
            yield from found


def of_set(name: str, root: Path) -> Iterator[Shown]:
    """Yield the largest objects of each held-out image of a set that may be shown."""
    content = json.loads((root / name / "annotations.json").read_text())
    images = {Path(one["file_name"]).stem: one for one in content["images"]}
    held_out = split(open_dataset(name, root, licences=LICENCES), HOLDOUT)[1]
    for position in range(len(held_out)):
        sample = held_out[position]
        image = images[Path(sample.sample_id).stem]
        address = image.get("flickr_url", image["source"])
        source = f"{image['file_name']} of {name}: {image['license'].split(' (')[0]}, {address}"
        sides = np.sqrt(sample.areas)
        for index in np.argsort(-sides, kind="stable")[:MOST].tolist():
            if sides[index] >= SMALLEST:
                yield Shown(sample, index, source)


def tile(segmenter: Segmenter, shown: Shown) -> NDArray[np.uint8]:
    """Return the picture of an object with its click and the mask that this gives."""
    sample = shown.sample
    target = np.where(sample.label_map == shown.index, 0, -1)
    clicks = GESTURES["center"].first_clicks(target, 1, sample.ignore, np.random.default_rng(0))
    mask = segmenter.open(sample.image).segment(clicks) == 0
    left, top, width, height = window((target == 0).view(np.uint8), sample.image.shape)
    box = slice(top, top + height), slice(left, left + width)
    scale = min(TILE[0] / width, TILE[1] / height)
    size = round(width * scale), round(height * scale)
    picture = np.asarray(cv2.resize(sample.image[box], size), np.uint8)
    large = cv2.resize(mask[box].view(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT)
    tint(picture, large > 0, color(0))
    outline(picture, large > 0, color(0), 1)
    moved = ClickSet([[replace(one, x=one.x - left, y=one.y - top) for one in clicks]])
    mark_clicks(picture, moved, radius=4, scale=scale)
    canvas = np.full((TILE[1], TILE[0], 3), 255, np.uint8)
    down, across = (TILE[1] - size[1]) // 2, (TILE[0] - size[0]) // 2
    canvas[down : down + size[1], across : across + size[0]] = picture
    return canvas


def window(mask: NDArray[np.uint8], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return left, top, width and height of what is shown of an image around a mask."""
    left, top, width, height = cv2.boundingRect(mask)
    wide = max(width * AROUND, height * AROUND * TILE[0] / TILE[1])
    high = wide * TILE[1] / TILE[0]
    (x, right), (y, bottom) = (
        (max(0, round(middle - length / 2)), min(most, round(middle + length / 2)))
        for middle, length, most in (
            (left + width / 2, wide, shape[1]),
            (top + height / 2, high, shape[0]),
        )
    )
    return x, y, right - x, bottom - y


if __name__ == "__main__":
    main()
