"""Clicks of an unsteady hand: near the pixel that the simulated annotator chose."""

import numpy as np

from dynamite import Click, ClickSet
from training.click_simulation import LabelMap


def jittered(
    clicks: ClickSet,
    label_HW: LabelMap,
    deviation: float,
    rng: np.random.Generator,
    since: int = 0,
) -> ClickSet:
    """Move clicks as an unsteady hand does, each within the region it was meant for.

    Args:
        clicks: the clicks.
        label_HW: label map; a click that would leave its label stays where it is.
        deviation: standard deviation along each axis in pixels; 0 moves nothing.
        rng: makes all choices.
        since: the first time stamp of the clicks to move.
    """
    if not deviation:
        return clicks
    height, width = label_HW.shape

    def moved(click: Click) -> Click:
        if click.time < since:
            return click
        x, y = rng.normal((click.x, click.y), deviation).tolist()
        if not (0 <= x < width and 0 <= y < height):
            return click
        there, meant = label_HW[int(y), int(x)], label_HW[int(click.y), int(click.x)]
        return Click(x, y, click.time) if there == meant else click

    return ClickSet([map(moved, own) for own in clicks.objects], map(moved, clicks.background))
