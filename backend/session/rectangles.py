"""What a rectangle stands for: clicks inside, background just outside, and where its mask stays."""

from backend.session.annotator_page import Mark
from backend.session.answer_plan import Tap, Target
from backend.session.call import Prompt

_MARGIN = 0.08
"""How far outside a rectangle its background clicks lie, in its width and height."""


def binding(boxes: list[Mark], taps: list[Tap]) -> Prompt | None:
    """The rectangle a mask stays in: once accepted, until a click points beyond it."""
    for mark in boxes[-1:]:
        if mark.live or all(mark.prompt.holds(tap.x, tap.y) for tap in taps):
            return mark.prompt
    return None


def spots_inside(mark: Mark) -> list[Tap]:
    """Positive clicks for a rectangle: its middle, and halfway from there to each side."""
    spots = ((0.5, 0.5), (0.25, 0.5), (0.75, 0.5), (0.5, 0.25), (0.5, 0.75))
    return [Tap(*mark.prompt.at(*spot), mark.born) for spot in spots]


def _outside(box: Prompt) -> list[tuple[float, float]]:
    """Background clicks for a rectangle: a little beyond the middle of each side."""
    near, far = -_MARGIN, 1 + _MARGIN
    return [box.at(*spot) for spot in ((near, 0.5), (far, 0.5), (0.5, near), (0.5, far))]


def around_all(boxes: list[Prompt], targets: list[Target], room: int) -> list[Tap] | None:
    """Background clicks just outside rectangles, where no other object is near.

    None where there are more than ``room``, as of very many rectangles: each is compared with all,
    while other people's calls wait.
    """
    found: list[Tap] = []
    for box in boxes:
        if len(found) > room:
            break
        others = [target for target in targets if target.box != box]
        for x, y in _outside(box):
            inside = 0 <= x < 1 and 0 <= y < 1
            if inside and not any(_reaches(target, x, y) for target in others):
                found.append(Tap(x, y, 0))
    return found if len(found) <= room else None


def _reaches(target: Target, x: float, y: float) -> bool:
    """Whether a point may be on ``target``: in its rectangle, or about as near as its clicks."""
    box = target.box
    if box is not None:
        return box.holds(x, y)
    return any(abs(tap.x - x) < _MARGIN and abs(tap.y - y) < _MARGIN for tap in target.taps)
