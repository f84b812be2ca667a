"""Decides which object each click is for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from backend.session.annotator_page import (
    BACKGROUND,
    LIKE,
    AnnotatorPage,
    PageObject,
    PagePrompt,
    Status,
    region_id,
)
from backend.session.bitmask import BitMask
from backend.session.call import Call
from backend.session.masks import MaskReader
from backend.session.outlines import goes_around
from backend.session.paint import Paint
from backend.session.presume import standing_mask
from backend.session.prompts import Prompt
from backend.session.regions import ImageKey
from backend.session.saved_page import Source


def assign_clicks(
    before: AnnotatorPage, page: AnnotatorPage, call: Call, source: Source, read: MaskReader
) -> AnnotatorPage:
    """Give every prompt of ``page`` an owner; ``before`` is the page before this call."""
    assignment = _Assignment(page, call, source, read)
    for prompt in sorted(page.prompts.values(), key=lambda prompt: prompt.born):
        drawn = prompt.drawn
        known = before.prompts.get(drawn.id)
        if prompt.removed:
            continue
        dragged = drawn.id in call.ids  # elsewhere a new place comes from an undo
        moved = dragged and known is not None and known.drawn.place != drawn.place
        if prompt.used and not moved:
            continue
        if prompt.used or assignment.is_back(prompt):
            assignment.reopen_for(prompt)
        elif known is None and assignment.was_used(prompt):
            continue
        elif prompt.owner in (None, BACKGROUND) or (moved and not drawn.positive):
            assignment.assign(prompt)
        elif moved:
            assignment.assign_dragged(prompt)
    if isinstance(call.newest, Paint):
        assignment.scribble(call.newest)
    return assignment.page


@dataclass
class _Assignment:
    """The page while its prompts are given out, one after the other."""

    page: AnnotatorPage
    call: Call
    source: Source
    read: MaskReader

    def assign(self, prompt: PagePrompt) -> None:
        """Find the object a prompt is for, or begin one."""
        drawn = prompt.drawn
        if drawn.label in self.call.background:
            self._give(prompt, BACKGROUND, is_positive=False)
        elif drawn.label in self.call.like:
            self._give(prompt, LIKE, is_positive=True)
        elif drawn.outlines:
            self._assign_outline(prompt)
        else:
            self._assign_click(prompt)

    def assign_dragged(self, prompt: PagePrompt) -> None:
        """Give a click to the accepted region that it was dragged into, if it began an object.

        Pages that take no click on an accepted region let one be dragged there.
        """
        owner = self.page.objects.get(prompt.owner or BACKGROUND)
        accepted = None if prompt.drawn.outlines else self._accepted_under(prompt.drawn)
        if accepted is None or owner is None or owner.base is not None:
            return
        if owner.status is Status.PENDING and len(list(self.page.owned(owner.id))) == 1:
            objects = {key: obj for key, obj in self.page.objects.items() if key != owner.id}
            self.page = replace(self.page, objects=objects)
            self._reopen(accepted, prompt.born)
            self._give(prompt, accepted, is_positive=bool(prompt.drawn.positive))

    def _assign_outline(self, prompt: PagePrompt) -> None:
        drawn = prompt.drawn
        masks = {name: mask for name, mask in self._accepted(drawn) if goes_around(drawn, mask)}
        if masks:
            accepted = list(masks)[-1]
            self._reopen(accepted, prompt.born)
            self._give(prompt, accepted, is_positive=True)
        elif suggested := self._suggested_in(drawn):
            self._give(prompt, suggested, is_positive=True)
        else:
            self._begin(prompt)

    def _suggested_in(self, drawn: Prompt) -> str | None:
        """Return the pending object of this label that an outline goes around.

        It may have been accepted, where no draft says so yet. One that has an outline keeps it.
        """
        for obj in self._pending(drawn.image):
            is_free = obj.label == drawn.label and self._outline(obj) is None
            if is_free and obj.shown is not None and goes_around(drawn, obj.shown):
                return obj.id
        return None

    def _assign_click(self, prompt: PagePrompt) -> None:
        drawn = prompt.drawn
        is_positive = bool(drawn.positive)
        own = self._own(drawn)
        if not is_positive and (other := self._other_under(drawn, own)):
            self._give(prompt, other.id, is_positive=True)
        elif own is not None:
            self._give(prompt, own.id, is_positive=is_positive)
        elif accepted := self._accepted_under(drawn):
            self._reopen(accepted, prompt.born)
            self._give(prompt, accepted, is_positive=is_positive)
        elif latest := self._latest(drawn):
            self._give(prompt, latest.id, is_positive=is_positive)
        elif is_positive:
            self._begin(prompt)
        else:
            self._give(prompt, BACKGROUND, is_positive=False)

    def is_back(self, prompt: PagePrompt) -> bool:
        """Whether a prompt is on the page again although its object was accepted: an undo."""
        known = self.page.objects.get(prompt.owner or BACKGROUND)
        return known is not None and known.status is not Status.PENDING

    def reopen_for(self, prompt: PagePrompt) -> None:
        """Reopen an accepted object for one of its clicks: dragged, or back after an undo."""
        if prompt.owner is not None:
            born = self._tick() if prompt.used else prompt.born
            self._reopen(prompt.owner, born)
            again = replace(prompt, born=born, used=False)
            self._give(again, prompt.owner, is_positive=prompt.is_positive)

    def was_used(self, prompt: PagePrompt) -> bool:
        """Whether an unknown prompt was used by an accept that we have no memory of.

        The page's order tells. What lies before an accepted region of its label was drawn before
        the accept: a click inside that region, or a negative one after such a click, made the
        region. The region that began with the prompt is its own, whatever its label is by now.
        """
        order = self.source.saved.order if self.source.is_certain else {}
        drawn = prompt.drawn
        if drawn.id not in order:
            return False
        begun = region_id(self.page.task, drawn.id)
        regions = {r.id: r for r in self._regions(drawn)}
        if begun in self.source.saved.masks:
            regions[begun] = self.source.saved.masks[begun]
        later = [r for r in regions.values() if order[r.id] > order[drawn.id]]
        under = [r.id for r in later if r.id == begun or self._lies_under(r, drawn)]
        if not under and not drawn.positive:
            siblings = {
                p.owner
                for p in self.page.prompts.values()
                if p.used and p.drawn.label == drawn.label
            }
            under = [r.id for r in later if r.id in siblings]
        if under:
            owned = replace(prompt, owner=under[-1], is_positive=bool(drawn.positive), used=True)
            self._put_prompt(owned)
        return bool(under)

    def scribble(self, painted: Paint) -> None:
        """Ask for the mask of what a smart brush's stroke lies on."""
        known = self.page.objects.get(painted.id)
        if known is not None and known.scribble == painted:
            return
        clock = self._tick()
        begun = PageObject(painted.id, painted.label, painted.image, clock, since=clock)
        version = self.page.version  # an older saved page cannot tell that it is gone
        self._put(
            replace(
                known or begun,
                status=Status.PENDING,
                version=version,
                scribble=painted,
                opened=clock,
            )
        )

    def _own(self, drawn: Prompt) -> PageObject | None:
        """Return the pending object of this label whose outline or mask holds a click."""
        same = [o for o in self._pending(drawn.image) if o.label == drawn.label]
        for obj in same:
            outline = self._outline(obj)
            if outline is not None and outline.contains(*drawn.anchor):
                return obj
        for obj in same:
            reopened_or_proposed = obj.base is not None or obj.seed is not None
            if reopened_or_proposed and self._covers(obj, drawn):
                return obj
        return None

    def _other_under(self, drawn: Prompt, own: PageObject | None) -> PageObject | None:
        """Return the pending object a negative click lies in, unless it lies in its own object."""
        mine = own or self._latest(drawn)
        if mine is not None and self._covers(mine, drawn):
            return None
        for obj in self._pending(drawn.image):
            if obj is not mine and self._covers(obj, drawn):
                return obj
        return None

    def _accepted_under(self, drawn: Prompt) -> str | None:
        """Return the accepted object of this label a click lies in; the newest of several."""
        under = [name for name, mask in self._accepted(drawn) if mask.contains(*drawn.anchor)]
        return under[-1] if under else None

    def _accepted(self, drawn: Prompt) -> Iterator[tuple[str, BitMask]]:
        """Yield the accepted objects of a prompt's image and label, with their masks."""
        # None of several annotators' masks is known to be on this page.
        are_there = self.source.is_certain or self.source.is_binding
        for region in self._regions(drawn):
            is_there = are_there or region.id in self.source.prefilled
            if is_there and self._is_told(region.id):
                yield region.id, self.read(region)
        for obj in self.page.objects.values():
            of_prompt = (obj.image, obj.label) == (drawn.image, drawn.label)
            presumed = obj.status is Status.PRESUMED and of_prompt
            if presumed and (mask := standing_mask(obj, self.read)):
                yield obj.id, mask

    def _latest(self, drawn: Prompt) -> PageObject | None:
        """Return the pending object of this label that was begun or reopened last."""
        pending = [
            o
            for o in self._pending(drawn.image)
            if o.label == drawn.label
            and self._outline(o) is None
            and o.scribble is None
            and o.seed is None  # a proposal is corrected by a click on it only
        ]
        return max(pending, key=lambda o: o.opened, default=None)

    def _begin(self, prompt: PagePrompt) -> None:
        object_id = self._free_id(prompt.drawn.id)
        self._put(PageObject(object_id, prompt.drawn.label, prompt.drawn.image, prompt.born))
        self._give(prompt, object_id, is_positive=True)

    def _free_id(self, prompt: str) -> str:
        """Return an id for a region begun with a prompt that no region on the page has yet."""
        found, tries = region_id(self.page.task, prompt), 0
        while found in self.page.objects or found in self.source.saved.masks:
            tries += 1
            found = region_id(self.page.task, f"{prompt}\0{tries}")
        return found

    def _reopen(self, object_id: str, clock: int) -> None:
        """Work on an accepted object again, from the prompt born at ``clock`` on.

        Earlier clicks count where they made the accepted mask.
        """
        known = self.page.objects.get(object_id)
        base = self.source.saved.masks.get(object_id)
        since = known.since if known is not None and known.base is not None else clock
        if known is not None and known.status is Status.PRESUMED:
            self._put(replace(known, status=Status.PENDING, opened=clock, since=since))
            return
        if base is None:
            return
        known = known or PageObject(base.id, base.label, base.image, clock, keeps=True)
        self._put(
            replace(
                known,
                label=base.label or known.label,
                status=Status.PENDING,
                opened=clock,
                base=base,
                since=since,
                keeps=known.keeps or known.answered_at(self.read(base)) is None,
            )
        )

    def _pending(self, image: ImageKey) -> Iterator[PageObject]:
        for obj in self.page.objects.values():
            if obj.image == image and obj.status is Status.PENDING:
                yield obj

    def _is_told(self, object_id: str) -> bool:
        """Whether a saved page tells best which mask a region has now."""
        known = self.page.objects.get(object_id)
        return known is None or known.status is Status.ACCEPTED

    def _regions(self, drawn: Prompt) -> Iterable[Paint]:
        """Yield the saved masks of the prompt's image and label."""
        for mask in self.source.saved.masks.values():
            if mask.image == drawn.image and mask.label == drawn.label:
                yield mask

    def _lies_under(self, mask: Paint, drawn: Prompt) -> bool:
        """Whether a mask holds the prompt's anchor."""
        return self.read(mask).contains(*drawn.anchor)

    def _covers(self, obj: PageObject, drawn: Prompt) -> bool:
        """Whether the mask last shown, or the accepted one being changed, holds a click."""
        if obj.shown is not None and obj.shown.contains(*drawn.anchor):
            return True
        return obj.base is not None and self._lies_under(obj.base, drawn)

    def _outline(self, obj: PageObject) -> Prompt | None:
        """Return the object's last outline on the page."""
        owned = self.page.owned(obj.id)
        outlines = [p.drawn for p in owned if p.is_live and p.drawn.outlines]
        return outlines[-1] if outlines else None

    def _tick(self) -> int:
        clock = self.page.clock
        self.page = replace(self.page, clock=clock + 1)
        return clock

    def _give(self, prompt: PagePrompt, owner: str, *, is_positive: bool) -> None:
        self._put_prompt(replace(prompt, owner=owner, is_positive=is_positive))

    def _put_prompt(self, prompt: PagePrompt) -> None:
        prompts = {**self.page.prompts, prompt.drawn.id: prompt}
        self.page = replace(self.page, prompts=prompts)

    def _put(self, obj: PageObject) -> None:
        self.page = replace(self.page, objects={**self.page.objects, obj.id: obj})
