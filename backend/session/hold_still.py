"""What a page shows when a new call comes, so that objects without a new click hold still.

The predictor decides what holding still means (``dynamite.predict.hold_still``). Here a page's last
answer becomes what it needs: the masks shown, and the objects that new clicks are on or against.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from backend.session.answer_plan import AnswerPlan, FractionalClick, ImagePlan, Target
from backend.session.bitmask import BitMask
from backend.session.prompts import Prompt
from backend.session.regions import ImageKey
from dynamite.predict.hold_still import Shown

_Asked = tuple[tuple[FractionalClick, ...], Prompt | None]


@dataclass(frozen=True)
class Heard:
    """The clicks that the last answer on an image was made from: by object, and the background."""

    objects: Mapping[str, _Asked]
    background: frozenset[FractionalClick]

    @classmethod
    def of(cls, plan: ImagePlan) -> "Heard":
        """Return the clicks of a plan."""
        return cls({target.id: _asked(target) for target in plan.targets}, _against(plan))


def with_shown(
    plan: AnswerPlan, heard: Mapping[ImageKey, Heard], masks: Mapping[str, BitMask]
) -> AnswerPlan:
    """Return the plan, its targets with the masks that show them and whether they move.

    Args:
        plan: of a new call.
        heard: what the last answer on each image was made from.
        masks: the masks last answered, by object.
    """
    images = (
        _hold(part, heard[part.image], masks) if part.image in heard else part
        for part in plan.images
    )
    return replace(plan, images=tuple(images))


def shown_before(plan: ImagePlan, height: int, width: int) -> Shown | None:
    """Return what the predictor needs to know, for an image of this size; None if all move."""
    if all(target.shown is None for target in plan.targets):
        return None
    label_map = np.full((height, width), -1, np.int16)
    for index, target in enumerate(plan.targets):
        if target.shown is not None:
            label_map[target.shown.sized(height, width)] = index
    moved = {index for index, target in enumerate(plan.targets) if target.moves}
    return Shown(label_map, moved)


def _hold(plan: ImagePlan, heard: Heard, masks: Mapping[str, BitMask]) -> ImagePlan:
    against = _against(plan) ^ heard.background

    def held(target: Target) -> Target:
        mask = masks.get(target.id)
        moves = (
            mask is None
            or heard.objects.get(target.id) != _asked(target)
            or any(mask.contains(click.x, click.y) for click in against)
        )
        return replace(target, shown=mask, moves=moves)

    return replace(plan, targets=tuple(held(target) for target in plan.targets))


def _asked(target: Target) -> _Asked:
    return target.clicks, target.outline


def _against(plan: ImagePlan) -> frozenset[FractionalClick]:
    """Return the background clicks that people made; those around outlines have no time."""
    return frozenset(click for click in plan.background if click.time)
