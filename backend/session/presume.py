"""Takes objects for gone where a call shows it without saying so.

Accepting, rejecting, deleting and undoing make no call. What is presumed gone is not suggested:
what an answer leaves out cannot be accepted by mistake. It comes back as soon as the page shows its
clicks.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

from backend.session.annotator_page import AnnotatorPage, PageObject, PagePrompt, Status
from backend.session.bitmask import BitMask
from backend.session.call import Call
from backend.session.masks import MaskReader
from backend.session.prompts import Point

SPOT_OF_MASK = 0.1
"""How far apart two clicks on one spot may be, as a share of the shorter side of the mask."""

SPOT_OF_IMAGE = 0.02
"""The same as a share of the image's diagonal; the smaller of both counts."""


def presume_all(page: AnnotatorPage, version: str) -> AnnotatorPage:
    """Presume that everything was accepted or rejected: both delete all smart prompts of a page.

    Other prompts stay there, used up. ``version`` is that of the newest saved page known: only a
    newer one can tell more.
    """
    objects = [
        replace(obj, status=Status.PRESUMED, version=version)
        for obj in page.objects.values()
        if obj.status is Status.PENDING and (obj.shown or obj.base)
    ]
    return _presume(page, objects, page.prompts.values(), version)


def presume_relabelled(before: AnnotatorPage, page: AnnotatorPage, call: Call) -> AnnotatorPage:
    """Presume objects gone whose only click lies on the spot of a new one with another label.

    Who chose a wrong label takes the click back and clicks again. Even if the first click is there
    still, a spot has one label. ``before`` is the page before the call.
    """
    newest = call.newest
    if not isinstance(newest, Point) or newest.id in before.prompts:
        return page
    if not page.prompts[newest.id].drawn.positive or newest.label in call.background | call.like:
        return page
    objects = [
        replace(obj, status=Status.PRESUMED, version=page.version)
        for obj in page.objects.values()
        if obj.image == newest.image and obj.label != newest.label and _hides(page, obj, newest)
    ]
    prompts = [prompt for obj in objects for prompt in page.owned(obj.id)]
    return _presume(page, objects, prompts, page.version)


def restore_presumed(page: AnnotatorPage, back: Iterable[PagePrompt]) -> AnnotatorPage:
    """Take presumptions back: the prompts ``back``, as they were known, are on the page.

    Nothing was accepted or rejected since the first of them was drawn. Where a prompt is back that
    was certainly gone, the latest accept or reject was undone.
    """
    firsts = [prompt.born for prompt in back if prompt.presumed is not None]
    presumed = [p for p in page.prompts.values() if p.presumed is not None]
    latest = max((p.presumed or 0 for p in presumed), default=0)
    prompts = dict(page.prompts)
    for prompt in presumed:
        if prompt.born >= min(firsts) if firsts else prompt.presumed == latest:
            owner = page.objects.get(prompt.owner or "")
            used = prompt.used and (owner is None or owner.status is not Status.PRESUMED)
            shown = replace(prompt, removed=False, used=used, presumed=None)
            prompts[prompt.drawn.id] = shown
    return replace(page, prompts=prompts)


def standing_mask(obj: PageObject, read: MaskReader) -> BitMask | None:
    """Return the mask that a presumed object is taken to have on the page."""
    if obj.shown is None and obj.base is not None:
        return read(obj.base)
    return obj.shown


def _presume(
    page: AnnotatorPage,
    objects: Iterable[PageObject],
    prompts: Iterable[PagePrompt],
    version: str,
) -> AnnotatorPage:
    gone = {
        prompt.drawn.id: replace(
            prompt, removed=prompt.is_smart, used=True, presumed=page.clock, version=version
        )
        for prompt in prompts
        if not prompt.removed
    }
    known = {obj.id: obj for obj in objects}
    return replace(page, prompts={**page.prompts, **gone}, objects={**page.objects, **known})


def _hides(page: AnnotatorPage, obj: PageObject, newest: Point) -> bool:
    """Whether the only click of a new object lies where ``newest`` does, and its mask there."""
    if obj.status is not Status.PENDING or obj.shown is None or obj.base or obj.scribble:
        return False
    live = [prompt.drawn for prompt in page.owned(obj.id) if prompt.is_live]
    if len(live) != 1 or not isinstance(live[0], Point):
        return False
    height, width = obj.shown.height, obj.shown.width
    spot = min(SPOT_OF_MASK * min(obj.shown.box[2:]), SPOT_OF_IMAGE * math.hypot(height, width))
    apart = math.hypot((newest.x - live[0].x) * width, (newest.y - live[0].y) * height)
    return apart <= spot and obj.shown.contains(newest.x, newest.y)
