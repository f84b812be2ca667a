"""The photos of the demo: where things are on them, and masks of them."""

import numpy as np

CAKE, CUP = (37.0, 70.0), (73.0, 66.0)
FREE = (6.0, 92.0)
"""Percent of the image of the cake: on the cake, on the cup, and on neither."""

LIVING_ROOM = (42.0, 54.0), (70.5, 52.0), (75.0, 45.0)
"""Percent of the image of the cat: on the cat, the white remote control and the black one."""


def pixel(mask, place):
    """Whether a mask has the pixel at percentages of its size."""
    height, width = mask.shape
    return bool(mask[int(place[1] / 100 * height), int(place[0] / 100 * width)])


def by_label(regions):
    found = {region.labels[0]: region for region in regions}
    assert len(found) == len(regions), "one region a label was expected"
    return found


def inside(mask, away_from):
    """Percentages of a pixel well inside a mask and far from a place."""
    height, width = mask.shape
    solid = mask.copy()
    for axis in (0, 1):
        for shift in (-4, 4):
            solid &= np.roll(mask, shift, axis)
    rows, columns = np.nonzero(solid)
    far = np.hypot(
        columns / width - away_from[0] / 100, rows / height - away_from[1] / 100
    ).argmax()
    return (columns[far] + 0.5) / width * 100, (rows[far] + 0.5) / height * 100


def beside(mask):
    """A place that a mask leaves free: where it can, on the cup."""
    return next(place for place in (CUP, FREE) if not pixel(mask, place))
