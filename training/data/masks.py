"""Reads COCO's three encodings of a mask: polygons, run lengths and compressed run lengths.

Run lengths go column by column and begin with a run of zeros. They are checked before any pixel is
allocated, so that wrong lengths in a file raise ``MaskError`` and cannot overrun a buffer.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

Mask = npt.NDArray[np.bool_]

_CHUNK_BITS = 5
_MORE = 0x20  # bit of a chunk: another chunk of this number follows
_SIGN = 0x10  # bit of a number's last chunk: the number is negative
_MAX_CHUNKS = 7  # 35 bits, more than any image needs

MAX_PIXELS = 2**29 - 1
"""Largest image: beyond it a number needs a seventh chunk and pycocotools overruns its buffer."""

_WANTED = "COCO wants a list of polygons, each a flat list: [[x0, y0, x1, y1, …], …]"


class MaskError(ValueError):
    """A segmentation is not a valid mask; ``kind`` names the fault for counting."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def decompress(counts: str | bytes) -> npt.NDArray[np.int64]:
    """Decode COCO's compressed run lengths.

    Numbers are written in chunks of five bits, the lowest first. From the fourth number on they are
    differences from the number two places before.

    Raises:
        MaskError: the string is not made of whole numbers of at most 35 bits.
    """
    try:
        raw = counts.encode("ascii") if isinstance(counts, str) else counts
    except UnicodeEncodeError:
        raise MaskError("unknown encoding", "run lengths with characters beyond ASCII") from None
    chunks = np.frombuffer(raw, np.uint8).astype(np.int64) - 48
    if chunks.size == 0:
        return chunks
    if chunks.min() < 0 or chunks.max() > 63:
        raise MaskError("unknown encoding", "run lengths with characters outside '0'–'o'")
    ends = np.flatnonzero((chunks & _MORE) == 0)
    if ends.size == 0 or ends[-1] != chunks.size - 1:
        raise MaskError("wrong run lengths", "the compressed run lengths end inside a number")
    starts = np.concatenate(([0], ends[:-1] + 1))
    sizes = ends - starts + 1
    if sizes.max() > _MAX_CHUNKS:
        raise MaskError("wrong run lengths", "a run length of more than 35 bits")
    position = np.arange(chunks.size) - np.repeat(starts, sizes)
    values = np.add.reduceat((chunks & 0x1F) << (_CHUNK_BITS * position), starts)
    negative = (chunks[ends] & _SIGN) != 0
    values -= np.where(negative, np.int64(1) << (_CHUNK_BITS * sizes), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def run_lengths(rle: Any, shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Return the checked run lengths of a COCO RLE dictionary of this shape (H, W).

    Raises:
        MaskError: the dictionary is not an RLE, or its run lengths do not fill that shape.
    """
    _check_shape(shape)
    if not isinstance(rle, dict) or "counts" not in rle or "size" not in rle:
        raise MaskError("unknown encoding", f"expected polygons or RLE, got {rle!r:.80}")
    size = rle["size"]
    if not isinstance(size, list | tuple) or list(size) != list(shape):
        raise MaskError("wrong size", f"the RLE is {size!r:.40}, its image {list(shape)}")
    counts = rle["counts"]
    if isinstance(counts, str | bytes):
        lengths = decompress(counts)
    elif isinstance(counts, list) and all(_is_whole(count) for count in counts):
        try:
            lengths = np.array(counts, np.int64)
        except OverflowError:
            raise MaskError("wrong run lengths", "a run length of more than 63 bits") from None
    else:
        raise MaskError("unknown encoding", f"run lengths of type {type(counts).__name__}")
    if lengths.size and (lengths.min() < 0 or lengths.max() > shape[0] * shape[1]):
        raise MaskError("wrong run lengths", "a run length below 0 or beyond the image")
    if int(lengths.sum()) != shape[0] * shape[1]:
        raise MaskError(
            "wrong run lengths",
            f"the run lengths add up to {int(lengths.sum())}, the image has {shape[0] * shape[1]}",
        )
    return lengths


def _is_whole(value: Any) -> bool:
    return type(value) is int or (isinstance(value, float) and value.is_integer())


def _check_shape(shape: tuple[int, int]) -> None:
    height, width = shape
    if height * width > MAX_PIXELS:
        raise MaskError("wrong size", f"{width}×{height} pixels are more than {MAX_PIXELS}")


def fill_runs(lengths: npt.NDArray[np.int64], shape: tuple[int, int]) -> Mask:
    """Return the mask, bool H×W, of checked run lengths."""
    values = (np.arange(lengths.size) & 1).astype(np.bool_)
    return np.repeat(values, lengths).reshape(shape[1], shape[0]).T


def check_polygons(polygons: Sequence[Any], shape: tuple[int, int]) -> list[list[float]]:
    """Check polygons [[x0, y0, x1, y1, …], …] in pixels and return them as plain floats.

    Raises:
        MaskError: a polygon has fewer than three points, a coordinate that is not a number, or
            lies outside the image.
    """
    checked = []
    _check_shape(shape)
    if not polygons:
        raise MaskError("no mask", "its `segmentation` is empty: at most a box, no mask")
    if all(isinstance(value, int | float) for value in polygons):
        raise MaskError("bad polygon", f"one flat list of numbers; {_WANTED}")
    if len(polygons) > 2 and all(isinstance(one, list) and len(one) == 2 for one in polygons):
        raise MaskError("bad polygon", f"points as pairs, {polygons!r:.40}; {_WANTED}")
    for polygon in polygons:
        if isinstance(polygon, list) and any(isinstance(part, list) for part in polygon):
            raise MaskError("bad polygon", f"lists within a polygon, {polygon!r:.40}; {_WANTED}")
        try:
            points = np.asarray(polygon, np.float64)
        except (TypeError, ValueError):
            raise MaskError("unknown encoding", f"a polygon like {polygon!r:.60}") from None
        if points.ndim != 1:
            raise MaskError("unknown encoding", f"a polygon like {polygon!r:.60}")
        if points.size % 2:
            raise MaskError("bad polygon", f"an odd number of coordinates ({points.size})")
        if points.size < 6:
            raise MaskError("bad polygon", f"{points.size // 2} points; three are needed")
        if not np.isfinite(points).all():
            raise MaskError("bad polygon", "a coordinate is NaN or infinite")
        xs, ys = points[0::2], points[1::2]
        height, width = shape
        outside = xs.max() < 0 or ys.max() < 0 or xs.min() > width or ys.min() > height
        # Slightly over the edge is common and is clipped; far out means a wrong scale.
        far = xs.min() < -width or ys.min() < -height or xs.max() > 2 * width
        if outside or far or ys.max() > 2 * height:
            raise MaskError(
                "outside the image",
                f"x {xs.min():.0f}…{xs.max():.0f}, y {ys.min():.0f}…{ys.max():.0f} "
                f"in {width}×{height}",
            )
        checked.append(points.tolist())
    return checked


def fill_polygons(polygons: list[list[float]], shape: tuple[int, int]) -> Mask:
    """Return the union of checked polygons as bool H×W, by COCO's own rasterizer."""
    height, width = shape
    merged = coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))
    return fill_runs(decompress(merged["counts"]), shape)


def decode(segmentation: Any, shape: tuple[int, int]) -> Mask:
    """Decode any COCO segmentation to bool H×W.

    Raises:
        MaskError: the segmentation is not a mask of this shape (H, W).
    """
    if isinstance(segmentation, list):
        return fill_polygons(check_polygons(segmentation, shape), shape)
    return fill_runs(run_lengths(segmentation, shape), shape)


def to_rle(segmentation: Any, shape: tuple[int, int]) -> dict[str, Any]:
    """Check any COCO segmentation and return it as the compressed RLE that pycocotools uses.

    Raises:
        MaskError: the segmentation is not a mask of this shape (H, W).
    """
    height, width = shape
    if isinstance(segmentation, list):
        polygons = check_polygons(segmentation, shape)
        merged: dict[str, Any] = coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))
        return merged
    lengths = run_lengths(segmentation, shape).tolist()
    rle: dict[str, Any] = coco_mask.frPyObjects(
        {"size": [height, width], "counts": lengths}, height, width
    )
    return rle


def encode(mask: Mask) -> dict[str, Any]:
    """Encode a bool H×W mask as COCO's compressed RLE, ready for json."""
    rle = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}
