"""Neighbors hold still: a click changes its own object, and others only where that one does.

The network answers all clicks jointly, so a click on one object moves the borders of others too,
often for the worse, and people hate masks that flicker. So what was shown stays, except where an
object that the new clicks are on or against wins pixels or gives them up (docs/network.md, 7).
"""

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dynamite.clicks import Click, ClickSet
from dynamite.errors import InvalidInputError

LabelMap = NDArray[np.int16]


@dataclass(frozen=True)
class Shown:
    """What a person saw before the newest clicks, and whom these are about.

    Attributes:
        label_map: (H, W) int16, the object index of each pixel, −1 for the background. The indices
            are those of the new clicks.
        moved: the objects that the new clicks are on or against. An object that was not shown must
            be one of them, or it gets no pixel.
    """

    label_map: LabelMap
    moved: Set[int]

    @classmethod
    def before(cls, label_map: NDArray[np.integer], old: ClickSet, new: ClickSet) -> "Shown":
        """Return what was shown for ``old`` clicks, before the ``new`` ones were made.

        A click on the background is against the object it fell on. Clicks that were taken back
        count like new ones.

        Args:
            label_map: the answer to the old clicks.
            old: the clicks so far.
            new: all clicks now. Objects keep their index; new ones come last.
        """
        changed = set(zip(old.owners, old, strict=True)) ^ set(zip(new.owners, new, strict=True))
        owners = {owner if owner >= 0 else _under(click, label_map) for owner, click in changed}
        return cls(label_map.astype(np.int16, copy=False), owners - {-1})


def _under(click: Click, label_map: NDArray[np.integer]) -> int:
    return int(label_map[int(click.y), int(click.x)])


def hold_still(answer: LabelMap, shown: Shown) -> LabelMap:
    """Return the answer where a moved object has pixels or had them, and what was shown elsewhere.

    So a moved object looks as in the answer. What it gives up goes to whom the answer gives it.

    Args:
        answer: (H, W), the joint answer to all clicks.
        shown: what was shown before, of the same size.

    Raises:
        InvalidInputError: the sizes differ.
    """
    if shown.label_map.shape != answer.shape:
        raise InvalidInputError(
            f"what was shown has shape {shown.label_map.shape}, the answer {answer.shape}: give "
            "both the same output size"
        )
    changed = np.zeros(answer.shape, np.bool_)
    for index in shown.moved:
        changed |= answer == index
        changed |= shown.label_map == index
    held = shown.label_map.astype(np.int16)
    np.copyto(held, answer, where=changed)
    return held
