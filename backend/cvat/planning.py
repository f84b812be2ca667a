"""Plans an answer to CVAT: which objects the boxes and clicks of one call ask for."""

from collections.abc import Sequence

from backend.cvat.interactor_request import Corners, Position, Prompts
from backend.errors import BadRequestError
from backend.session.answer_plan import FractionalClick, ImagePlan, Target
from backend.session.outlines import clicks_around
from backend.session.prompts import Box
from backend.session.regions import ImageKey
from dynamite.clicks import MAX_CLICKS

FRAME = ImageKey("frame")
"""The one image of a call."""

BEYOND = 0.05
"""How far beyond the border a click may lie, as a share of the frame: it is moved inside."""


def plan_answer(prompts: Prompts, size: tuple[int, int]) -> ImagePlan:
    """Return what to segment in a frame of H, W; without targets where nothing is asked for.

    Each box is an object, and all are segmented together. A positive click belongs to the smallest
    box around it, else to the nearest one, which then no longer clips its mask. Without a box all
    positive clicks are one object. Negative clicks are background to all.

    Raises:
        BadRequestError: a click or a box lies outside the frame.
    """
    height, width = size
    boxes = [_box(index, corners, height, width) for index, corners in enumerate(prompts.boxes)]
    positive = _fractions(prompts.positive, "pos_points", height, width, len(boxes))
    later = len(boxes) + len(positive)
    negative = _fractions(prompts.negative, "neg_points", height, width, later)
    targets = _targets(boxes, positive)
    count = sum(len(target.clicks) for target in targets) + len(negative)
    around = clicks_around(targets, MAX_CLICKS - count)
    if around is None:  # so many boxes that each stands for one click only
        targets = _targets(boxes, positive, clicks_per_box=1)
    return ImagePlan(FRAME, tuple(targets), (*(around or ()), *negative))


def _targets(
    boxes: Sequence[Box],
    positive: Sequence[FractionalClick],
    clicks_per_box: int | None = None,
) -> list[Target]:
    if not boxes:
        return [Target("0", "", tuple(positive))] if positive else []
    own: list[list[FractionalClick]] = [[] for _ in boxes]
    for click in positive:
        own[_owner(click, boxes)].append(click)
    return [
        Target(
            str(index),
            "",
            (*(FractionalClick(x, y, index) for x, y in box.clicks()[:clicks_per_box]), *clicks),
            outline=box if all(box.contains(click.x, click.y) for click in clicks) else None,
        )
        for index, (box, clicks) in enumerate(zip(boxes, own, strict=True))
    ]


def _owner(click: FractionalClick, boxes: Sequence[Box]) -> int:
    """Return the index of the smallest box around a click, else of the nearest one."""

    def distance(box: Box) -> float:
        across = max(box.x - click.x, 0.0, click.x - box.x - box.width)
        down = max(box.y - click.y, 0.0, click.y - box.y - box.height)
        return across * across + down * down

    return min(
        range(len(boxes)),
        key=lambda index: (distance(boxes[index]), boxes[index].width * boxes[index].height),
    )


def _fractions(
    points: Sequence[Position], name: str, height: int, width: int, first: int
) -> list[FractionalClick]:
    """Return clicks as fractions of the frame, in order, from time ``first`` on."""
    found = []
    for index, (x, y) in enumerate(points):
        across, down = x / width, y / height
        if not (-BEYOND <= across <= 1 + BEYOND and -BEYOND <= down <= 1 + BEYOND):
            raise BadRequestError(
                f"{name}[{index}] is [{x:g}, {y:g}], outside the frame of {width}×{height} pixels"
            )
        found.append(FractionalClick(across, down, first + index))
    return found


def _box(index: int, corners: Corners, height: int, width: int) -> Box:
    """Return the part of a box that lies in the frame."""
    left, right = (min(max(x, 0.0), width) / width for x in corners[::2])
    top, bottom = (min(max(y, 0.0), height) / height for y in corners[1::2])
    if right <= left or bottom <= top:
        raise BadRequestError(
            f"box {index} of obj_bbox, {', '.join(f'{value:g}' for value in corners)}, has no "
            f"pixel in the frame of {width}×{height}"
        )
    return Box(str(index), "", FRAME, left, top, right - left, bottom - top, aspect=height / width)
