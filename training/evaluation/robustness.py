"""How much a score depends on clicks in the middle of an error (the measures of RClicks)."""

from collections.abc import Mapping
from dataclasses import dataclass

EASY, HARD, ANYWHERE, CENTER = "off-center-easy", "off-center-hard", "off-center", "center"


@dataclass(frozen=True)
class Robustness:
    """Two shares; None where a protocol that they need was not run.

    ``rise``: by what share a protocol takes more clicks than ``center`` does. ``spread``: how many
    more clicks the hard (shallow) protocol takes than the easy (deep) one, relative to clicks
    anywhere.
    """

    rise: float | None
    spread: float | None


def robustness(clicks: Mapping[str, float]) -> dict[str, Robustness]:
    """Return rise and spread by protocol from one method's mean clicks (NoC or NCI)."""
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
