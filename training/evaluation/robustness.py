"""How much of a method's score hangs on clicks in the very middle (the measures of RClicks)."""

from collections.abc import Mapping
from dataclasses import dataclass

EASY, HARD, ANYWHERE, CENTER = "off-center-easy", "off-center-hard", "off-center", "center"


@dataclass(frozen=True)
class Robustness:
    """Shares, None where a protocol needed for it was not run.

    ``rise``: how many more clicks a protocol takes than clicks in the middle. ``spread``: how many
    more hard (shallow) clicks take than easy (deep) ones, relative to clicks anywhere.
    """

    rise: float | None
    spread: float | None


def robustness(clicks: Mapping[str, float]) -> dict[str, Robustness]:
    """Rise and spread from the mean clicks (NoC or NCI) of one method by protocol."""
    base = clicks.get(CENTER)
    spread = None
    if {EASY, HARD, ANYWHERE} <= clicks.keys():
        spread = (clicks[HARD] - clicks[EASY]) / clicks[ANYWHERE]
    return {
        name: Robustness(
            rise=None if base is None or name == CENTER else value / base - 1,
            spread=spread if name == ANYWHERE else None,
        )
        for name, value in clicks.items()
    }
