"""What prompts that outline an object do to masks and clicks around it."""

from collections.abc import Sequence

from backend.session.annotator_page import PagePrompt
from backend.session.answer_plan import FractionalClick, Target
from backend.session.bitmask import BitMask
from backend.session.prompts import MARGIN, Prompt

HELD, FILLED = 0.9, 0.4
"""What part of a mask's box an outline must hold, and what part of the outline's that box must
fill, for the outline to be drawn around that mask."""


def outline_of(outlines: Sequence[PagePrompt], clicks: Sequence[FractionalClick]) -> Prompt | None:
    """Return the prompt that clips an object's mask: its last outline.

    Once accepted, an outline clips only until a click lands outside it.
    """
    for prompt in outlines[-1:]:
        drawn = prompt.drawn
        if prompt.is_live or all(drawn.contains(click.x, click.y) for click in clicks):
            return drawn
    return None


def goes_around(outline: Prompt, mask: BitMask) -> bool:
    """Whether an outline was drawn around a mask, to change it: it holds it, and little else."""
    left, top, right, bottom = outline.bounds()
    own_left, own_top, own_right, own_bottom = mask.bounds
    across = min(right, own_right) - max(left, own_left)
    down = min(bottom, own_bottom) - max(top, own_top)
    if across <= 0 or down <= 0:
        return False
    own = (own_right - own_left) * (own_bottom - own_top)
    return across * down >= HELD * own and own >= FILLED * (right - left) * (bottom - top)


def clicks_around(targets: Sequence[Target], limit: int) -> list[FractionalClick] | None:
    """Return background clicks just outside outlines, except where another object may be.

    None where there are more than ``limit``: each outline is compared with every object, while
    other people's calls wait.
    """
    found: list[FractionalClick] = []
    for outline in [target.outline for target in targets if target.outline is not None]:
        if len(found) > limit:
            break
        others = [target for target in targets if target.outline != outline]
        for x, y in outline.clicks_around():
            inside = 0 <= x < 1 and 0 <= y < 1
            if inside and not any(_may_hold(target, x, y) for target in others):
                found.append(FractionalClick(x, y, 0))
    return found if len(found) <= limit else None


def _may_hold(target: Target, x: float, y: float) -> bool:
    """Whether a position may lie on an object: inside its outline, or close to its clicks."""
    if target.outline is not None:
        return target.outline.contains(x, y)
    return any(abs(click.x - x) < MARGIN and abs(click.y - y) < MARGIN for click in target.clicks)
