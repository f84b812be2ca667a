"""Reads and checks the entries of a COCO json."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from training.data.images import image_size, is_file
from training.data.masks import MaskError, check_polygons, fill_polygons, run_lengths
from training.data.problems import DatasetError, Problems
from training.data.unknown_area import unknown_area
from training.progress import track

Id = int | str

UNNAMED = "object"
"""Label of an annotation whose category has no name."""

LEFT_OUT = "left out"
"""Id of what takes the place of a faulty annotation."""

_SURELY_VISIBLE = 4.0
"""Area in square pixels from which a polygon surely covers a pixel and is not rasterized."""


@dataclass(frozen=True)
class Annotation:
    """One checked entry of the json's ``annotations``."""

    annotation_id: Id
    label: str
    segmentation: Any  # checked: list of polygons or RLE dictionary
    ignore: Any  # RLE dictionary or None
    crowd: bool  # to ignore, not an object: a crowd, or where a faulty annotation was left out
    stuff: bool


@dataclass(frozen=True)
class ImageEntry:
    """One checked entry of the json's ``images`` with its annotations."""

    file_name: str  # as in the json
    file: Path
    shape: tuple[int, int]  # H, W
    exhaustive: bool
    annotations: tuple[Annotation, ...]

    @property
    def has_object(self) -> bool:
        """Whether any annotation is an object, not a crowd."""
        return any(not annotation.crowd for annotation in self.annotations)

    @property
    def has_crowd(self) -> bool:
        """Whether any annotation is a crowd in the json."""
        return any(one.crowd and one.annotation_id != LEFT_OUT for one in self.annotations)


def read_entries(
    content: dict[str, Any], folder: Path, json_path: Path, problems: Problems
) -> Iterator[ImageEntry]:
    """Yield the checked images of a COCO json in order; faulty entries go to ``problems``.

    Where a faulty annotation is left out, its image says nothing: an annotation to ignore takes its
    place, and the image is not ``exhaustive``.
    """
    categories = _read_categories(content, json_path, problems)
    images: dict[Id, _Image] = {}
    for raw in track(content["images"], f"Checking the images of {json_path.name}"):
        image = _read_image(raw, folder, json_path, problems)
        if image is None:
            continue
        if image.image_id in images:
            problems.add("duplicate id", json_path, None, f"image id {image.image_id} twice")
        else:
            images[image.image_id] = image
    listed = {_id(raw) for raw in content["images"]}
    found: dict[Id, list[Annotation]] = {image_id: [] for image_id in images}
    incomplete: set[Id] = set()
    seen: set[Id] = set()
    for raw in track(content["annotations"], f"Checking the masks of {json_path.name}"):
        annotation_id, image_id = _id(raw), _id(raw, "image_id")
        image = None if image_id is None else images.get(image_id)
        fault = _entry_fault(raw, seen, listed)
        if fault is None and image is not None:
            try:
                found[image.image_id].append(_check_annotation(raw, categories, image.shape))
            except MaskError as error:
                fault = error
        if fault is not None:
            file = json_path if image is None else f"{json_path} ({image.file_name})"
            problems.add(fault.kind, file, annotation_id, str(fault))
            if image is not None:
                found[image.image_id].append(_left_out(raw, image.shape))
                incomplete.add(image.image_id)
        if annotation_id is not None:
            seen.add(annotation_id)
    for image_id, image in images.items():
        yield ImageEntry(
            file_name=image.file_name,
            file=image.file,
            shape=image.shape,
            exhaustive=image.exhaustive and image_id not in incomplete,
            annotations=tuple(found[image_id]),
        )


def _entry_fault(raw: Any, seen: set[Id], listed: set[Id | None]) -> MaskError | None:
    """Return what is wrong with the ids of an annotation, or None."""
    annotation_id, image_id = _id(raw), _id(raw, "image_id")
    if annotation_id is None:
        return MaskError("bad entry", f"annotation without id: {raw!r:.60}")
    if annotation_id in seen:
        return MaskError("duplicate id", "the id is used twice")
    if image_id is None or image_id not in listed:
        return MaskError("unknown image", f"{raw.get('image_id')!r:.60}")
    return None


def _left_out(raw: dict[str, Any], shape: tuple[int, int]) -> Annotation:
    """Return what takes the place of a faulty annotation: pixels to ignore."""
    return Annotation(
        annotation_id=LEFT_OUT,
        label=UNNAMED,
        segmentation=unknown_area(raw, shape),
        ignore=None,
        crowd=True,
        stuff=False,
    )


class _Image(NamedTuple):
    image_id: Id
    file_name: str
    file: Path
    shape: tuple[int, int]
    exhaustive: bool


def _id(raw: Any, key: str = "id") -> Id | None:
    """Return the id that an entry has under ``key``, or None if it has none."""
    value = raw.get(key) if isinstance(raw, dict) else None
    return value if isinstance(value, int | str) else None


def _read_categories(
    content: dict[str, Any], json_path: Path, problems: Problems
) -> dict[Id, tuple[str, bool]]:
    """Return each category's name, and whether it is stuff, by its id."""
    listed = content.get("categories", [])
    categories: dict[Id, tuple[str, bool]] = {}
    for raw in listed if isinstance(listed, list) else [listed]:
        category_id = _id(raw)
        if category_id is None:
            problems.add("bad entry", json_path, None, f"category {raw!r:.60}")
        else:
            categories[category_id] = (str(raw.get("name", UNNAMED)), raw.get("isthing", 1) == 0)
    return categories


def _read_image(raw: Any, folder: Path, json_path: Path, problems: Problems) -> _Image | None:
    image_id = _id(raw)
    name = raw.get("file_name") if isinstance(raw, dict) else None
    sides = [raw.get(key) for key in ("height", "width")] if isinstance(raw, dict) else []
    sound = all(type(side) is int and side > 0 for side in sides)
    if image_id is None or not isinstance(name, str) or not sound:
        problems.add("bad entry", json_path, None, f"image {raw!r:.80}")
        return None
    file = folder / name
    if not is_file(file) and is_file(folder / name.replace("\\", "/")):  # written on Windows
        file = folder / name.replace("\\", "/")
    if not is_file(file):
        problems.add("missing file", file, None, "no such image")
        return None
    try:
        size = image_size(file)
    except DatasetError as error:
        problems.add("unreadable image", file, None, str(error))
        return None
    if list(size) != sides:
        problems.add("wrong size", file, None, f"is {list(size)}, the json says {sides} (H, W)")
        return None
    return _Image(image_id, name, file, size, bool(raw.get("exhaustive", True)))


def _check_annotation(
    raw: dict[str, Any], categories: dict[Id, tuple[str, bool]], shape: tuple[int, int]
) -> Annotation:
    category_id = _id(raw, "category_id")
    if categories and category_id not in categories:
        raise MaskError("unknown category", f"{raw.get('category_id')!r:.60}")
    segmentation = raw.get("segmentation")
    if isinstance(segmentation, list):
        segmentation = check_polygons(segmentation, shape)
        enclosed = max(_enclosed(polygon) for polygon in segmentation)
        if enclosed < _SURELY_VISIBLE and not fill_polygons(segmentation, shape).any():
            raise MaskError("empty mask", "the polygons enclose no pixel")
    elif segmentation is None:
        raise MaskError("no mask", "it has no `segmentation`, at most a box")
    elif not run_lengths(segmentation, shape)[1::2].any():
        raise MaskError("empty mask", "the RLE holds no pixel")
    crowd = raw.get("iscrowd", 0)
    if crowd not in (0, 1, None):
        raise MaskError("bad entry", f"`iscrowd` is {crowd!r:.60}, not 0 or 1")
    ignore = raw.get("ignore")
    if isinstance(ignore, dict):
        run_lengths(ignore, shape)
    elif ignore is not None and ignore not in (0, 1):  # some COCO jsons carry a number here
        raise MaskError("unknown encoding", f"`ignore` is {ignore!r:.60}, not an RLE")
    unnamed = (UNNAMED, False)
    label, stuff = unnamed if category_id is None else categories.get(category_id, unnamed)
    return Annotation(
        annotation_id=raw["id"],
        label=label,
        segmentation=segmentation,
        ignore=ignore if isinstance(ignore, dict) else None,
        crowd=bool(crowd),
        stuff=stuff,
    )


def _enclosed(polygon: list[float]) -> float:
    """Return the area of a polygon in square pixels, by the shoelace formula."""
    xs, ys = np.array(polygon[0::2]), np.array(polygon[1::2])
    return abs(float(xs @ np.roll(ys, -1) - ys @ np.roll(xs, -1))) / 2
