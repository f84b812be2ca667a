"""More like this: a click with a label of its own asks for every further object of a kind.

What is proposed becomes objects of the page, each with a seed in place of a click of its own. It is
shown again until it is accepted, rejected or corrected by a click; and what was rejected stays
known, so that it is not proposed again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from backend.session.annotator_page import (
    LIKE,
    AnnotatorPage,
    PageObject,
    Status,
    region_id,
)
from backend.session.answer_plan import ImagePlan, LikeAsked, RepeatedMask
from backend.session.bitmask import BitMask
from backend.session.call import Call
from backend.session.masks import MaskReader
from backend.session.paint import Paint
from backend.session.presume import standing_mask
from backend.session.prompts import Point
from backend.session.regions import ImageKey
from backend.session.saved_page import Source


@dataclass(frozen=True)
class Proposed:
    """A further object: its mask, its score in 0…1, its seed as fractions of the image."""

    label: str
    mask: BitMask
    score: float
    seed: tuple[float, float]


def like_asked(
    page: AnnotatorPage, call: Call, source: Source, read: MaskReader
) -> LikeAsked | None:
    """Return what the newest click of a call asks for, if it has a label of that kind."""
    newest = call.newest
    if not isinstance(newest, Point) or newest.label not in call.like:
        return None
    masks = list(_masks(page, source, read, newest.image))
    masks += [
        ("", read(painted), False)
        for painted in _taken_back(call, source)
        if painted.image == newest.image and painted.id not in page.objects
    ]
    under = [number for number, one in enumerate(masks) if one[1].contains(*newest.anchor)]
    clicked = next((number for number in reversed(under) if masks[number][0]), None)
    examples: dict[str, list[BitMask]] = {}
    others = []
    for number, (label, mask, is_accepted) in enumerate(masks):
        if is_accepted or number == clicked:
            examples.setdefault(label, []).append(mask)
        else:
            others.append(mask)
    asked = None if clicked is None else masks[clicked][0]
    return LikeAsked(newest.id, newest.image, asked, examples, others)


def _masks(
    page: AnnotatorPage, source: Source, read: MaskReader, image: ImageKey
) -> Iterator[tuple[str, BitMask, bool]]:
    """Yield label and mask of all that is known of an image, and whether it has been accepted.

    What is rejected has no label.
    """
    for painted in source.saved.masks.values():
        known = page.objects.get(painted.id)
        is_told = known is None or known.status is Status.ACCEPTED
        if painted.image == image and is_told:
            yield painted.label, read(painted), bool(painted.label)
    for obj in page.objects.values():
        if obj.image != image or obj.status is Status.ACCEPTED:
            continue
        standing = standing_mask(obj, read)
        if standing is not None:
            is_example = obj.status is Status.PRESUMED and obj.seed is None
            yield "" if obj.status is Status.GONE else obj.label, standing, is_example


def _taken_back(call: Call, source: Source) -> Iterator[Paint]:
    """Yield the masks that pre-labelling put on the page and that a person has deleted since.

    A prediction has filled the page if the saved page still has one of its regions.
    """
    there = source.saved.masks.keys()
    for saved in call.prefill:
        if source.is_certain and not there.isdisjoint(saved.masks):
            yield from (mask for name, mask in saved.masks.items() if name not in there)


def settle_proposal(page: AnnotatorPage, obj: PageObject, source: Source) -> PageObject | None:
    """Return what has become of a proposal that no saved page holds; None if clicks decide.

    It stays a suggestion while the click that asked for it is on the page. What a newer saved page
    then lacks was rejected, or deleted since: it is remembered as gone.
    """
    asking = page.prompts.get(obj.asked_by)
    if obj.status is Status.GONE:
        return obj
    if obj.status is not Status.ACCEPTED and asking is not None and asking.is_live:
        return replace(obj, status=Status.PENDING)
    if obj.status is Status.PENDING and any(one.is_live for one in page.owned(obj.id)):
        return None
    versions = [obj.version, asking.version if asking is not None else ""]
    if source.is_newer_than(max(versions)):
        return replace(obj, status=Status.GONE)
    if obj.status is Status.PENDING:
        return replace(obj, status=Status.PRESUMED, version=page.version)
    return obj


def repeated_proposals(page: AnnotatorPage, plan: ImagePlan) -> tuple[RepeatedMask, ...]:
    """Return the proposals of an image to show again: those that no click corrects or replaces."""
    targets = {target.id for target in plan.targets}
    clicks = [click for target in plan.targets for click in target.clicks]
    return tuple(
        RepeatedMask(obj.id, obj.label, obj.shown)
        for obj in page.objects.values()
        if is_open(obj)
        and obj.image == plan.image
        and obj.id not in targets
        and obj.shown is not None
        and not any(obj.shown.contains(click.x, click.y) for click in clicks)
    )


def is_open(obj: PageObject) -> bool:
    """Whether an object is a proposal that is neither accepted nor rejected."""
    return obj.seed is not None and obj.status is Status.PENDING


def with_proposals(
    page: AnnotatorPage, asked: LikeAsked, proposed: Iterable[Proposed]
) -> tuple[AnnotatorPage, list[str]]:
    """Return the page with new proposals, shown as they are, and their region ids in order."""
    objects, ids = dict(page.objects), []
    for number, one in enumerate(proposed):
        found, tries = "", 0
        while not found or found in objects:
            found = region_id(page.task, f"{asked.prompt}\0{LIKE}\0{number}\0{tries}")
            tries += 1
        objects[found] = PageObject(
            found,
            one.label,
            asked.image,
            page.clock,
            version=page.version,
            shown=one.mask,
            answers=((one.mask.digest, page.clock),),
            seed=one.seed,
            asked_by=asked.prompt,
        )
        ids.append(found)
    return replace(page, objects=objects), ids
