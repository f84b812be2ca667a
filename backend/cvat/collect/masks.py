"""Reads the shapes of a frame: masks, and polygons rasterised, as objects for the store."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from backend.cvat import rle
from backend.cvat.collect.described import Shape
from backend.cvat.rle import Mask
from dynamite.errors import InvalidInputError
from training.annotation_store import Origin, Region, Rejection, encode_mask, polygon_mask

KINDS = ("mask", "polygon")
"""The shapes that say which pixels belong to an object; the others are prompts."""

HAND = ("manual", "file")
"""CVAT's words for shapes without a model."""

Answers = Mapping[str, Sequence[Any]]
"""By the name of a mask: [model version, clicks]."""


def read_shapes(
    shapes: Iterable[Shape], labels: Mapping[int, str], size: tuple[int, int], answers: Answers
) -> tuple[tuple[Region, ...], list[Rejection]]:
    """Return the objects of a frame, and what of it cannot be used.

    Args:
        shapes: on one frame; those that are neither masks nor polygons are passed over.
        labels: names by number.
        size: H, W of the frame.
        answers: what the model answered for this frame.
    """
    regions, rejections = [], []
    for shape in shapes:
        if shape.type not in KINDS:
            continue
        name = None if shape.id is None else str(shape.id)
        try:
            mask = pixels(shape, size)
            label = labels.get(shape.label_id)
            if label is None:
                raise InvalidInputError(f"its label, {shape.label_id}, is not one of the job's")
        except InvalidInputError as error:
            rejections.append(Rejection("bad_region", str(error), name))
            continue
        area = int(np.count_nonzero(mask))
        if not area:
            rejections.append(Rejection("empty_mask", f"the {shape.type} has no pixel", name))
            continue
        origin, version, clicks = provenance(shape, mask, answers)
        regions.append(Region(name or "", label, encode_mask(mask), area, origin, version, clicks))
    return tuple(regions), rejections


def pixels(shape: Shape, size: tuple[int, int]) -> Mask:
    """Return the H×W mask of a mask or a polygon.

    Raises:
        InvalidInputError: its numbers are none of that shape.
    """
    if shape.type == "mask":
        return rle.decode(shape.points, *size)
    return polygon_mask(shape.points, size)


def provenance(shape: Shape, mask: Mask, answers: Answers) -> tuple[Origin, str | None, int | None]:
    """Return a mask's origin, the model version and the number of clicks; None where unknown.

    A mask that was answered for this frame is known by its pixels. Another one of a model counts as
    corrected if this frame had answers, else as unchanged: to undervalue a correction does less
    harm than to train on an echo. A polygon has lost the pixels that would tell.
    """
    if same := answers.get(rle.name(rle.encode(mask))):
        return Origin.UNCHANGED, str(same[0]), int(same[1])
    if shape.source in HAND:
        return Origin.DRAWN, None, None
    if answers and shape.type == "mask":
        version, clicks = list(answers.values())[-1]
        return Origin.CORRECTED, str(version), int(clicks)
    return Origin.UNCHANGED, None, None
