"""Plans the mask of one object, segmented together with the others around it."""

from collections.abc import Iterable, Sequence

from backend.label_studio.next.others import Other, positive_clicks
from backend.session.answer_plan import FractionalClick, ImagePlan, Target
from backend.session.bitmask import BitMask
from backend.session.outlines import clicks_around
from backend.session.prompts import Position, Prompt
from backend.session.regions import ImageKey
from backend.session.sampling import interior_points
from dynamite.clicks import MAX_CLICKS

MOST_OTHERS = 16
"""Objects segmented together with the new one: those nearest to it."""


def plan_object(
    prompts: Sequence[Prompt], others: Iterable[Other], image: ImageKey
) -> ImagePlan | None:
    """Return what to segment; its first target is the object of ``prompts``.

    All of ``others`` keep their pixels. None where no prompt is positive.
    """
    aimed = positive_clicks(prompts)
    if not aimed:
        return None
    others = tuple(others)
    near = sorted(others, key=lambda other: _distance(other.mask, aimed[-1]))[:MOST_OTHERS]
    sets = [other.clicks or _inside(other.mask) for other in near]
    room = MAX_CLICKS - len(prompts) - len(aimed)
    while sets and sum(map(len, sets)) > room:
        sets.pop()  # the farthest
    start = sum(map(len, sets))  # the new object's clicks are the latest
    mine = Target("new", "", _timed(aimed, start), outline=_outline(prompts))
    around = [Target(f"other {i}", "", _timed(at, 0)) for i, at in enumerate(sets) if at]
    targets = (mine, *around)
    against = _timed([prompt.anchor for prompt in prompts if not prompt.positive], start)
    margin = clicks_around(targets, room - start) or ()
    fixed = tuple(other.mask for other in others)
    return ImagePlan(image, targets, (*against, *margin), fixed=fixed)


def _outline(prompts: Iterable[Prompt]) -> Prompt | None:
    """Return the box that the mask must stay in."""
    boxes = [prompt for prompt in prompts if prompt.outlines]
    return boxes[-1] if boxes else None


def _timed(clicks: Iterable[Position], start: int) -> tuple[FractionalClick, ...]:
    return tuple(FractionalClick(x, y, start + i) for i, (x, y) in enumerate(clicks))


def _distance(mask: BitMask, click: Position) -> float:
    """Return how far a click is from the box around a mask, as a share of the image."""
    top, left, rows, columns = mask.box
    x, y = click[0] * mask.width, click[1] * mask.height
    across = max(left - x, x - (left + columns), 0.0) / mask.width
    down = max(top - y, y - (top + rows), 0.0) / mask.height
    return max(across, down)


def _inside(mask: BitMask) -> tuple[Position, ...]:
    """Return clicks that stand for a mask; of its box alone, which is smaller than the image."""
    top, left, rows, columns = mask.box
    return tuple(
        ((left + x * columns) / mask.width, (top + y * rows) / mask.height)
        for x, y in interior_points(mask.inside())
    )
