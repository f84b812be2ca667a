"""How a person opens an accepted mask again: each kind leaves other ways."""

import numpy as np
from photo import CUP, FREE, inside


def clicked(person, region):
    """Take the farthest place away with Ctrl + Alt + click."""
    (label,) = region.labels
    person.click(label, *inside(region.mask, CUP), negative=True, inside=True)


def dragged_in(person, region):
    """Place a click of what is not the object beside the mask, and drag it in.

    Another click would bring a suggestion, and a vector that lies over a click is dragged itself.
    """
    (label,) = region.labels
    person.click(label, *FREE, negative=True)
    person.drag_click(FREE, inside(region.mask, CUP))


def outlined(person, region):
    """Draw a rectangle around the mask, from outside."""
    (label,) = region.labels
    height, width = region.mask.shape
    rows, columns = np.nonzero(region.mask)
    left, right = columns.min() / width * 100 - 1, columns.max() / width * 100 + 1
    top, bottom = rows.min() / height * 100 - 1, rows.max() / height * 100 + 1
    person.box(label, max(left, 0.5), max(top, 0.5), min(right, 99.5), min(bottom, 99.5))


def ways(person, output):
    """The ways that the page leaves to a kind of mask; before 1.13, Ctrl + click is none."""
    return [way for way in WAYS[output] if way is not clicked or person.reaches_accepted]


WAYS = {
    "brush": (clicked, dragged_in, outlined),
    "bitmask": (dragged_in, outlined),
    "polygon": (clicked, dragged_in, outlined),
    "vector": (dragged_in, outlined),
}
