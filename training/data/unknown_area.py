"""Where the object of a faulty annotation may lie: pixels that must not become background."""

from math import ceil, floor, isfinite
from typing import Any

from training.data.masks import MaskError, decode


def unknown_area(raw: dict[str, Any], shape: tuple[int, int]) -> Any:
    """Return a valid COCO segmentation that covers the object of an annotation left out.

    Its own mask if that can be read (the fault lies elsewhere), else its ``bbox``, else the whole
    image.

    Args:
        raw: the entry of the json.
        shape: (H, W) of its image.
    """
    try:
        if decode(raw.get("segmentation"), shape).any():
            return raw["segmentation"]
    except MaskError:
        pass
    height, width = shape
    left, top, right, bottom = _box(raw.get("bbox"), shape) or (0, 0, width, height)
    return [[left, top, right, top, right, bottom, left, bottom]]


def _box(bbox: Any, shape: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Return the box cut to the image, in whole pixels; None if it is none or lies outside."""
    if not isinstance(bbox, list | tuple) or len(bbox) != 4:
        return None
    if not all(isinstance(value, int | float) and isfinite(value) for value in bbox):
        return None
    x, y, box_width, box_height = bbox
    left, right = max(0, floor(x)), min(shape[1], ceil(x + box_width))
    top, bottom = max(0, floor(y)), min(shape[0], ceil(y + box_height))
    return (left, top, right, bottom) if left < right and top < bottom else None
