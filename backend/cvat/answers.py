"""Writes masks as the JSON that CVAT's server and page take, by generation."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from backend.cvat import rle
from backend.cvat.generations import Generation
from backend.cvat.rle import Mask
from backend.serving.answer import AnsweredObject

CONFIDENCE = 0
"""``spec_id`` of the attribute that holds an object's confidence."""


@dataclass(frozen=True)
class EncodedMask:
    """An object of an answer: its H×W mask, also as CVAT writes it, and the model's confidence."""

    id: str
    mask: Mask = field(repr=False)
    runs: list[int] = field(repr=False)
    score: float

    @classmethod
    def of(cls, answered: AnsweredObject) -> "EncodedMask":
        """Encode an object, which has pixels."""
        return cls(answered.id, answered.mask, rle.encode(answered.mask), answered.score or 0.0)


def write_answer(
    objects: Sequence[EncodedMask], size: tuple[int, int], generation: Generation
) -> bytes:
    """Return the body of an answer.

    Only ``shapes`` can hold several objects; in the other forms they are one mask together.

    Args:
        objects: disjoint, each with pixels; none where nothing was found.
        size: H, W of the frame.
        generation: the form to write.
    """
    if generation is Generation.SHAPES:
        return _text({"shapes": [shape(one) for one in objects]})
    if not objects and generation is Generation.CROP:
        return _text({"mask": [[0]], "bounds": [0, 0, 0, 0], "points": []})
    mask = np.zeros(size, np.bool_)
    for one in objects:
        mask |= one.mask
    if generation is Generation.FULL:
        # Without pixels the page looks for an outline in vain, so it is given an empty one.
        return _with_rows(mask, {} if objects else {"points": []})
    box = rle.box_of(mask)
    return _with_rows(rle.crop(mask, box), {"bounds": list(box), "points": outline(mask, box)})


def shape(encoded: EncodedMask) -> dict[str, Any]:
    """Return one object as an entry of ``shapes``."""
    score = {"spec_id": CONFIDENCE, "value": f"{encoded.score:.2f}"}
    return {
        "type": "mask",
        "points": encoded.runs,
        "group": 0,
        "source": "semi-auto",
        "attributes": [score],
        "occluded": False,
        "rotation": 0,
    }


def outline(mask: Mask, box: rle.Box) -> list[list[int]]:
    """Return the outline of the largest part of a mask in a box, as x, y in pixels."""
    left, top, _, _ = box
    inside = np.ascontiguousarray(rle.crop(mask, box)).view(np.uint8)
    found, _ = cv2.findContours(
        inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top)
    )
    largest = max(found, key=cv2.contourArea)
    points: list[list[int]] = largest[:, 0].tolist()
    return points


def _text(values: dict[str, Any]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode()


def _with_rows(mask: Mask, others: dict[str, Any]) -> bytes:
    """Return an object with a mask's rows of 0 and 1 first: a list of 12 million takes seconds."""
    height, width = mask.shape
    rows = np.full((height, 2 * width + 2), ord(","), np.uint8)
    rows[:, 0] = ord("[")
    rows[:, 1:-1:2] = mask.view(np.uint8) + ord("0")
    rows[:, -2] = ord("]")
    rows[-1, -1] = ord("]")
    text = b'{"mask":[' + rows.tobytes()
    return text + (b"," + _text(others)[1:] if others else b"}")
