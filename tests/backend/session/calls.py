"""Calls of a page with two images, and answers to them."""

import numpy as np

from backend.session.bitmask import BitMask
from backend.session.call import Call
from backend.session.prompts import Point
from backend.session.regions import ImageKey

FIRST, SECOND = ImageKey("image", 0), ImageKey("image", 1)


SHAPE = (40, 60)


def point(name, label, x, y, *, image=FIRST, positive=True):
    return Point(name, label, image, x, y, positive=positive)


def call(*context, task="1/7", **more):
    return Call(task, context, **more)


def disc(x, y):
    rows, columns = np.mgrid[:40, :60]
    return BitMask.of(np.hypot(rows - 40 * y, columns - 60 * x) < 6)


def targets(ticket):
    return {target.label: target for image in ticket.plan.images for target in image.targets}


def show(store, ticket):
    """Answer a disc around the last click of each target."""
    masks = {t.id: disc(t.clicks[-1].x, t.clicks[-1].y) for t in targets(ticket).values()}
    store.remember(ticket, masks, [image.image for image in ticket.plan.images])
    return masks
