"""The entries of a COCO json, each checked before anything relies on it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.data.images import image_size
from training.data.masks import MaskError, check_polygons, fill_polygons, run_lengths
from training.data.problems import DatasetError, Problems
from training.data.progress import watch

_SURELY_VISIBLE = 4.0  # square pixels a polygon must enclose to be drawn without a test


@dataclass(frozen=True)
class Annotation:
    """One checked entry of `annotations`."""

    annotation_id: int | str
    label: str
    segmentation: Any  # checked: list of polygons or RLE dictionary
    ignore: Any  # RLE dictionary or None
    crowd: bool
    stuff: bool


@dataclass(frozen=True)
class ImageEntry:
    """One checked entry of `images` with its annotations."""

    image_id: int | str
    file_name: str  # as in the json
    file: Path
    shape: tuple[int, int]  # H, W
    exhaustive: bool
    annotations: tuple[Annotation, ...]

    @property
    def has_object(self) -> bool:
        """Whether there is anything but crowds."""
        return any(not annotation.crowd for annotation in self.annotations)


def load_json(path: Path) -> dict[str, Any]:
    """The json file as a dictionary with lists `images` and `annotations`, or DatasetError."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DatasetError(f"{path}: not json: {error}") from error
    for key in ("images", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DatasetError(f"{path}: not a COCO json: it has no list `{key}`")
    return dict(content)


def read_entries(
    content: dict[str, Any], folder: Path, json_path: Path, problems: Problems
) -> Iterator[ImageEntry]:
    """The checked images of a COCO json in order; faulty entries go to `problems` instead."""
    categories = {
        entry.get("id"): (str(entry.get("name", "object")), entry.get("isthing", 1) == 0)
        for entry in content.get("categories", [])
    }
    images: dict[int | str, dict[str, Any]] = {}
    for raw in watch(content["images"], f"Checking the images of {json_path.name}"):
        if _image_is_sound(raw, folder, json_path, images, problems):
            images[raw["id"]] = raw
    listed = {raw.get("id") for raw in content["images"] if isinstance(raw, dict)}
    found: dict[int | str, list[Annotation]] = {image_id: [] for image_id in images}
    seen: set[int | str] = set()
    for raw in watch(content["annotations"], f"Checking the masks of {json_path.name}"):
        annotation_id = raw.get("id") if isinstance(raw, dict) else None
        if not isinstance(annotation_id, int | str):
            problems.add("bad entry", json_path, None, f"annotation without id: {raw!r:.60}")
            continue
        image = images.get(raw.get("image_id"))
        if annotation_id in seen:
            problems.add("duplicate id", json_path, annotation_id, "the id is used twice")
        elif raw.get("image_id") not in listed:
            problems.add("unknown image", json_path, annotation_id, f"{raw.get('image_id')!r}")
        elif categories and raw.get("category_id") not in categories:
            category = raw.get("category_id")
            problems.add("unknown category", json_path, annotation_id, f"{category!r}")
        elif image is not None:
            shape = (image["height"], image["width"])
            try:
                annotation = _check_annotation(raw, categories, shape)
                found[image["id"]].append(annotation)
            except MaskError as error:
                file = f"{json_path} ({image['file_name']})"
                problems.add(error.kind, file, annotation_id, str(error))
        seen.add(annotation_id)
    for image_id, image in images.items():
        yield ImageEntry(
            image_id=image_id,
            file_name=image["file_name"],
            file=folder / image["file_name"],
            shape=(image["height"], image["width"]),
            exhaustive=bool(image.get("exhaustive", True)),
            annotations=tuple(found[image_id]),
        )


def _image_is_sound(
    raw: Any,
    folder: Path,
    json_path: Path,
    known: dict[int | str, dict[str, Any]],
    problems: Problems,
) -> bool:
    sides = [raw.get(key) for key in ("height", "width")] if isinstance(raw, dict) else []
    if (
        not sides
        or not isinstance(raw.get("id"), int | str)
        or not isinstance(raw.get("file_name"), str)
        or not all(type(side) is int and side > 0 for side in sides)
    ):
        problems.add("bad entry", json_path, None, f"image {raw!r:.80}")
        return False
    file = folder / raw["file_name"]
    if raw["id"] in known:
        problems.add("duplicate id", json_path, None, f"image id {raw['id']} is used twice")
        return False
    if not file.is_file():
        problems.add("missing file", file, None, "no such image")
        return False
    try:
        size = image_size(file)
    except DatasetError as error:
        problems.add("unreadable image", file, None, str(error))
        return False
    if list(size) != sides:
        problems.add("wrong size", file, None, f"is {list(size)}, the json says {sides} (H, W)")
        return False
    return True


def _check_annotation(
    raw: dict[str, Any], categories: dict[Any, tuple[str, bool]], shape: tuple[int, int]
) -> Annotation:
    segmentation = raw.get("segmentation")
    if isinstance(segmentation, list):
        segmentation = check_polygons(segmentation, shape)
        enclosed = max(_enclosed(polygon) for polygon in segmentation)
        if enclosed < _SURELY_VISIBLE and not fill_polygons(segmentation, shape).any():
            raise MaskError("empty mask", "the polygons enclose no pixel")
    elif not run_lengths(segmentation, shape)[1::2].any():
        raise MaskError("empty mask", "the RLE holds no pixel")
    ignore = raw.get("ignore")
    if isinstance(ignore, dict):
        run_lengths(ignore, shape)
    elif ignore not in (None, 0, 1):  # some COCO jsons carry a number here
        raise MaskError("unknown encoding", f"`ignore` is {ignore!r:.60}, not an RLE")
    label, stuff = categories.get(raw.get("category_id"), ("object", False))
    return Annotation(
        annotation_id=raw["id"],
        label=label,
        segmentation=segmentation,
        ignore=ignore if isinstance(ignore, dict) else None,
        crowd=bool(raw.get("iscrowd", 0)),
        stuff=stuff,
    )


def _enclosed(polygon: list[float]) -> float:
    """Area by the shoelace rule, square pixels."""
    xs, ys = np.array(polygon[0::2]), np.array(polygon[1::2])
    return abs(float(xs @ np.roll(ys, -1) - ys @ np.roll(xs, -1))) / 2
