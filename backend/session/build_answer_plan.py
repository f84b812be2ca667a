"""Builds the plan of an answer: every pending object of the page, and what they must not touch."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from backend.session.annotator_page import (
    BACKGROUND,
    AnnotatorPage,
    PageObject,
    PagePrompt,
    Status,
)
from backend.session.answer_plan import (
    AnswerPlan,
    FractionalClick,
    ImagePlan,
    Target,
)
from backend.session.bitmask import BitMask
from backend.session.like import repeated_proposals
from backend.session.masks import MaskReader
from backend.session.outlines import clicks_around, outline_of
from backend.session.presume import standing_mask
from backend.session.regions import ImageKey
from backend.session.sampling import interior_points
from backend.session.saved_page import Source
from dynamite.clicks import MAX_CLICKS


def build_answer_plan(page: AnnotatorPage, source: Source, read: MaskReader) -> AnswerPlan:
    """Plan the answer for ``page`` as it is now."""
    images = {o.image for o in page.objects.values() if o.status is Status.PENDING}
    planner = _Planner(page, source, read)
    parts = [planner.image(image) for image in sorted(images)]
    return AnswerPlan(tuple(part for part in parts if part.targets or part.repeats))


class _Planner:
    def __init__(self, page: AnnotatorPage, source: Source, read: MaskReader) -> None:
        self._page = page
        self._source = source
        self._read = read

    def image(self, image: ImageKey) -> ImagePlan:
        """Return the plan for one image."""
        pending = [
            o
            for o in sorted(self._page.objects.values(), key=lambda o: o.opened)
            if o.image == image and o.status is Status.PENDING
        ]
        changing = [(o, self._read(o.base)) for o in pending if o.base and o.scribble is None]
        targets = self._targets(pending)
        background = list(self._background(image, pending))
        limit = MAX_CLICKS - sum(len(target.clicks) for target in targets) - len(background)
        around = clicks_around(targets, limit)
        if around is None:
            targets = self._targets(pending, clicks_per_outline=1)
        else:
            background += around
        targets = [replace(t, protected=_protected(t.id, t.clicks, changing)) for t in targets]
        fixed = self._fixed(image, {o.id for o in pending}, targets)
        plan = ImagePlan(image, tuple(targets), tuple(background), fixed=tuple(fixed))
        return replace(plan, repeats=repeated_proposals(self._page, plan))

    def _targets(
        self, pending: list[PageObject], clicks_per_outline: int | None = None
    ) -> list[Target]:
        """Return the objects that have a click, with up to ``clicks_per_outline`` of an outline."""
        targets = [self._target(o, clicks_per_outline) for o in pending]
        return [target for target in targets if target.clicks]

    def _target(self, obj: PageObject, clicks_per_outline: int | None) -> Target:
        prompts = self._prompts_of(obj)
        positive = [prompt for prompt in prompts if prompt.is_positive]
        outlines = [prompt for prompt in positive if prompt.drawn.outlines]
        own = [click for p in positive if not p.drawn.outlines for click in _clicks(p)]
        outline = outline_of(outlines, own)
        clicks = [click for p in outlines for click in _clicks(p)[:clicks_per_outline]] + own
        if obj.seed is not None:
            if not prompts:
                return Target(obj.id, obj.label, ())  # shown again as it is
            clicks = [FractionalClick(*obj.seed, obj.opened), *clicks]
        target = Target(obj.id, obj.label, tuple(clicks), outline)
        is_asked_anew = bool(outlines)  # drawn around the mask: what lies inside counts, not it
        kept = obj.scribble or (obj.base if obj.keeps and not is_asked_anew else None)
        if kept is not None:
            mask = self._read(kept)
            sampled = [FractionalClick(x, y, obj.opened) for x, y in kept.clicks(mask)]
            return replace(
                target,
                clicks=(*sampled, *clicks),
                keep=mask,
                scribble=obj.scribble is not None or kept.is_strokes_only,
                fresh=tuple(click for prompt in prompts for click in _clicks(prompt)),
            )
        if not clicks and obj.shown is not None:  # reopened, its clicks forgotten
            points = interior_points(obj.shown.array())
            return replace(
                target, clicks=tuple(FractionalClick(x, y, obj.opened) for x, y in points)
            )
        return target

    def _prompts_of(self, obj: PageObject) -> list[PagePrompt]:
        """Return its prompts on the page; if reopened, also those that made the accepted mask."""
        prompts = list(self._page.owned(obj.id))
        if obj.keeps:
            return [prompt for prompt in prompts if prompt.is_live and prompt.born >= obj.since]
        return [prompt for prompt in prompts if prompt.is_live or prompt.used]

    def _background(self, image: ImageKey, pending: list[PageObject]) -> Iterator[FractionalClick]:
        for prompt in self._page.prompts.values():
            if prompt.drawn.image == image and prompt.owner == BACKGROUND and prompt.is_live:
                yield from _clicks(prompt)
        for obj in pending:
            for prompt in self._prompts_of(obj):
                if not prompt.is_positive:
                    yield from _clicks(prompt)

    def _fixed(
        self, image: ImageKey, pending: set[str], targets: list[Target]
    ) -> Iterator[BitMask]:
        """Yield masks on the page that are not pending.

        A click lands on an accepted region only with Ctrl. So a mask that is merely presumed to be
        there, and holds a click, is probably not.
        """
        clicks = [click for target in targets for click in target.clicks]
        presumed = [o for o in self._page.objects.values() if o.status is Status.PRESUMED]
        told = pending | {obj.id for obj in presumed}
        for painted in self._source.saved.masks.values():
            if painted.image == image and painted.id not in told:
                mask = self._read(painted)
                if self._source.is_binding or not _is_clicked(mask, clicks):
                    yield mask
        for obj in presumed:
            standing = standing_mask(obj, self._read) if obj.image == image else None
            if standing is not None and not _is_clicked(standing, clicks):
                yield standing


def _is_clicked(mask: BitMask, clicks: Iterable[FractionalClick]) -> bool:
    return any(mask.contains(click.x, click.y) for click in clicks)


def _protected(
    own: str, clicks: Iterable[FractionalClick], changing: list[tuple[PageObject, BitMask]]
) -> tuple[BitMask, ...]:
    """Return the accepted masks being changed that an object has no later click in."""
    return tuple(
        mask
        for obj, mask in changing
        if obj.id != own
        and not any(c.time >= obj.opened and mask.contains(c.x, c.y) for c in clicks)
    )


def _clicks(prompt: PagePrompt) -> list[FractionalClick]:
    return [FractionalClick(x, y, prompt.born) for x, y in prompt.drawn.clicks()]
