"""Answers ``dynamite cvat-masks --more-like-this``: a frame's further objects."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend.cvat import rle
from backend.cvat.collect.described import Shape
from backend.cvat.collect.masks import pixels
from backend.cvat.interactor import BusyNowError
from backend.cvat.interactor_request import read_image, read_project
from backend.cvat.planning import FRAME
from backend.cvat.rle import Mask
from backend.errors import BadRequestError, ImageBusyError
from backend.images.decode import digest, image_size
from backend.proposals.further import Further
from backend.serving.admission import Admission, BusyError
from backend.serving.answer_log import Answered, AnswerLog
from backend.serving.image_cache import LazyImage
from backend.session.answer_plan import LikeAsked
from backend.session.bitmask import BitMask
from backend.session.like import Proposed
from dynamite.errors import InvalidInputError

MOST_SHAPES = 2000
"""Most shapes of a frame: each is drawn to know what is taken."""

MOST_LABELS = 1000
"""Most labels of a task."""


class KnownShape(BaseModel):
    """A shape of the frame that nothing may lie on; with a label, also an example of it."""

    model_config = ConfigDict(strict=True)

    type: Literal["mask", "polygon"]
    points: list[float]
    label: str | None = None


class Asked(BaseModel):
    """The labels that further objects may have, and the shapes that are there."""

    model_config = ConfigDict(strict=True)

    labels: list[str] = Field(max_length=MOST_LABELS)
    shapes: list[KnownShape] = Field([], max_length=MOST_SHAPES)


class Proposing:
    """Proposes further objects of a frame. Safe to use from many threads.

    Args:
        further: proposes with the serving model.
        admission: limits how many wait for it.
        answer_log: remembers what was proposed, so that an accepted mask is known for what it is.
        open_frame: opens the file of a frame.
        source: the name of this CVAT.
        max_pixels: pixels of the largest frame.
    """

    def __init__(
        self,
        further: Further,
        admission: Admission,
        answer_log: AnswerLog,
        open_frame: Callable[[bytes], LazyImage],
        *,
        source: str,
        max_pixels: int,
    ) -> None:
        self._further = further
        self._admission = admission
        self._answer_log = answer_log
        self._open = open_frame
        self._source = source
        self._max_pixels = max_pixels

    def answer(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return label, score and mask, as CVAT writes it, of each further object of a frame.

        ``body`` has the frame's file and ``Asked``, and may name the frame's ``project``. Tasks
        without one learn from each other.

        Raises:
            BadRequestError: a value is missing or absurd.
            ImageError: the frame cannot be read.
            BusyNowError: too much waits for the model.
        """
        asked, project = _read(body), read_project(body.get("project")) or 0
        frame = read_image(body.get("image"))
        like = _known(asked, image_size(frame, max_pixels=self._max_pixels))
        accepted = frozenset(asked.labels)
        try:
            with self._admission.place():
                version, found = self._further.propose(
                    (self._source, project),
                    like,
                    self._open(frame),
                    lambda _, label: label in accepted,
                )
        except (BusyError, ImageBusyError) as error:
            raise BusyNowError(str(error)) from error
        written = [_written(one) for one in found]
        notes = [Answered("", rle.name(one["points"]), version, 0) for one in written]
        self._answer_log.note(self._source, digest(frame), notes)
        return written


def _read(body: Mapping[str, Any]) -> Asked:
    try:
        return Asked.model_validate(
            {name: body[name] for name in Asked.model_fields if name in body}
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BadRequestError(f"{place} of the call is wrong: {first['msg']}") from None


def _known(asked: Asked, size: tuple[int, int]) -> LikeAsked:
    """Return what is asked of a frame of H, W. An example keeps its pixels under other shapes."""
    examples: dict[str, list[BitMask]] = {}
    others = []
    of_examples = np.zeros(size, np.bool_)
    for number, shape in enumerate(asked.shapes):
        try:
            mask = _taken(shape, size)
        except InvalidInputError as error:
            raise BadRequestError(f"shapes.{number} of the call is wrong: {error}") from None
        if shape.label is None:
            others.append(BitMask.of(mask))
        else:
            of_examples |= mask
            examples.setdefault(shape.label, []).append(BitMask.of(mask))
    beside = [BitMask.of(one.array() & ~of_examples) for one in others]
    return LikeAsked("", FRAME, None, examples, beside)


def _taken(shape: KnownShape, size: tuple[int, int]) -> Mask:
    """Return the H×W mask of a shape; a polygon may reach beyond the frame, as turned boxes do.

    Raises:
        InvalidInputError: its numbers are none of that shape.
    """
    points = shape.points
    if shape.type == "polygon" and len(points) > 1:
        height, width = size
        frame = np.resize([width, height], len(points))
        near = np.clip(points, -frame, 2 * frame)
        across, down = near[::2], near[1::2]
        if across.max() < 0 or across.min() > width or down.max() < 0 or down.min() > height:
            return np.zeros(size, np.bool_)
        points = near.tolist()
    return pixels(Shape(type=shape.type, frame=0, label_id=0, points=points), size)


def _written(one: Proposed) -> dict[str, Any]:
    return {
        "label": one.label,
        "score": round(one.score, 4),
        "points": rle.encode(one.mask.array()),
    }
