"""Which object a click is for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from backend.session.annotator_page import BACKGROUND, Instance, Mark, Page, Status, region_id
from backend.session.call import Evidence, ImageKey, Kind, Painted, Prompt
from backend.session.masks import MaskReader
from backend.session.saved_page import Source


def update(before: Page, page: Page, evidence: Evidence, source: Source, read: MaskReader) -> Page:
    """Give every mark of ``page`` its owner; ``before`` is the page as remembered."""
    desk = _Desk(page, evidence, source, read)
    for mark in sorted(page.marks.values(), key=lambda mark: mark.born):
        known = before.marks.get(mark.prompt.id)
        if mark.gone:
            continue
        dragged = mark.prompt.id in evidence.ids  # elsewhere a new place comes from an undo
        moved = dragged and known is not None and known.prompt.place != mark.prompt.place
        if mark.spent and not moved:
            continue
        if mark.spent or desk.is_back(mark):
            desk.reopen_for(mark)
        elif known is None and desk.was_spent(mark):
            continue
        elif mark.owner is None or mark.owner == BACKGROUND or (moved and not mark.prompt.positive):
            desk.assign(mark)
    for painted in evidence.context[-1:]:
        if isinstance(painted, Painted):
            desk.scribble(painted)
    return desk.page


@dataclass
class _Desk:
    """The page while its marks are given out, one after the other."""

    page: Page
    evidence: Evidence
    source: Source
    read: MaskReader

    def assign(self, mark: Mark) -> None:
        """Find the object a mark is for, or begin one."""
        prompt = mark.prompt
        if prompt.label in self.evidence.background:
            self._give(mark, BACKGROUND, on=False)
        elif prompt.kind is Kind.BOX:
            self._begin(mark)
        else:
            self._assign_point(mark)

    def _assign_point(self, mark: Mark) -> None:
        prompt = mark.prompt
        own = self._own(prompt)
        if not prompt.positive and (other := self._other_under(prompt, own)):
            self._give(mark, other.id, on=True)
        elif own is not None:
            self._give(mark, own.id, on=bool(prompt.positive))
        elif accepted := self._accepted_under(prompt):
            self._reopen(accepted, mark.born)
            self._give(mark, accepted, on=bool(prompt.positive))
        elif open_ := self._open(prompt):
            self._give(mark, open_.id, on=bool(prompt.positive))
        elif prompt.positive:
            self._begin(mark)
        else:
            self._give(mark, BACKGROUND, on=False)

    def is_back(self, mark: Mark) -> bool:
        """Whether a mark is on the page again after its object was accepted: that was undone."""
        known = self.page.instances.get(mark.owner or BACKGROUND)
        return known is not None and known.status is not Status.PENDING

    def reopen_for(self, mark: Mark) -> None:
        """A click of an accepted object asks again: dragged, or back after an undo."""
        if mark.owner is not None:
            born = self._tick() if mark.spent else mark.born
            self._reopen(mark.owner, born)
            self._give(replace(mark, born=born, spent=False), mark.owner, on=mark.on)

    def was_spent(self, mark: Mark) -> bool:
        """Whether a mark new to us was used by an accept we have no memory of.

        The page's order tells: what lies before an accepted region of its label was there before
        the accept, so a click inside that region, and a negative one after it, made that region.
        The region that began with the mark is its own whatever its label is by now.
        """
        order = self.source.saved.order if self.source.certain else {}
        prompt = mark.prompt
        if prompt.id not in order:
            return False
        begun = region_id(self.page.task, prompt.id)
        regions = {r.id: r for r in self._regions(prompt)}
        if begun in self.source.saved.painted:
            regions[begun] = self.source.saved.painted[begun]
        later = [r for r in regions.values() if order[r.id] > order[prompt.id]]
        under = [r.id for r in later if r.id == begun or self._holds(r, prompt)]
        if not under and not prompt.positive:
            siblings = {
                m.owner
                for m in self.page.marks.values()
                if m.spent and m.prompt.label == prompt.label
            }
            under = [r.id for r in later if r.id in siblings]
        if under:
            self._put_mark(replace(mark, owner=under[-1], on=bool(prompt.positive), spent=True))
        return bool(under)

    def scribble(self, painted: Painted) -> None:
        """The stroke just drawn with a smart brush asks for the mask of what it lies on."""
        known = self.page.instances.get(painted.id)
        if known is not None and known.scribble == painted:
            return
        clock = self._tick()
        begun = Instance(painted.id, painted.label, painted.image, clock, since=clock)
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

    def _own(self, prompt: Prompt) -> Instance | None:
        """The pending object of this label that lies under a click, or whose rectangle does."""
        pending = list(self._pending(prompt.image))
        same = [i for i in pending if i.label == prompt.label]
        for instance in same:
            box = self._box(instance)
            if box is not None and box.holds(prompt.x, prompt.y):
                return instance
        for instance in same:
            if instance.base is not None and self._covers(instance, prompt):
                return instance
        return None

    def _other_under(self, prompt: Prompt, own: Instance | None) -> Instance | None:
        """The pending object a negative click lies in, unless it lies in its own object."""
        mine = own or self._open(prompt)
        if mine is not None and self._covers(mine, prompt):
            return None
        for instance in self._pending(prompt.image):
            if instance is not mine and self._covers(instance, prompt):
                return instance
        return None

    def _accepted_under(self, prompt: Prompt) -> str | None:
        """The accepted object of this label a click lies in; of several the newest."""
        found = [
            i.id
            for i in self.page.instances.values()
            if i.status is Status.PRESUMED
            and (i.image, i.label) == (prompt.image, prompt.label)
            and self._covers(i, prompt)
        ]
        # Of several annotators' masks, or a prediction's, none is known to be on this page.
        on_page = self.source.certain or self.source.binding
        painted = [
            r.id
            for r in (self._regions(prompt) if on_page else ())
            if not self._is_pending(r.id) and self._holds(r, prompt)
        ]
        return next(reversed(painted + found), None)

    def _open(self, prompt: Prompt) -> Instance | None:
        """The pending object of this label that was begun or reopened last."""
        pending = [
            i
            for i in self._pending(prompt.image)
            if i.label == prompt.label and self._box(i) is None and i.scribble is None
        ]
        return max(pending, key=lambda i: i.opened, default=None)

    def _begin(self, mark: Mark) -> None:
        instance = self._free_id(mark.prompt.id)
        self._put(Instance(instance, mark.prompt.label, mark.prompt.image, mark.born))
        self._give(mark, instance, on=True)

    def _free_id(self, mark: str) -> str:
        """The id of a region begun with a mark, which no other region has: it would be replaced."""
        found, tries = region_id(self.page.task, mark), 0
        while found in self.page.instances or found in self.source.saved.painted:
            tries += 1
            found = region_id(self.page.task, f"{mark}\0{tries}")
        return found

    def _reopen(self, instance_id: str, clock: int) -> None:
        """Work on an accepted object again, from the mark born at ``clock`` on.

        Earlier clicks count where they made what is accepted.
        """
        known = self.page.instances.get(instance_id)
        base = self.source.saved.painted.get(instance_id)
        since = known.since if known is not None and known.base is not None else clock
        if known is not None and known.status is Status.PRESUMED:
            self._put(replace(known, status=Status.PENDING, opened=clock, since=since))
            return
        if base is None:
            return
        known = known or Instance(base.id, base.label, base.image, clock, keeps=True)
        self._put(
            replace(
                known,
                label=base.label or known.label,
                status=Status.PENDING,
                opened=clock,
                base=base,
                since=since,
                keeps=known.keeps or known.answered_at(base) is None,
            )
        )

    def _pending(self, image: ImageKey) -> Iterator[Instance]:
        for instance in self.page.instances.values():
            if instance.image == image and instance.status is Status.PENDING:
                yield instance

    def _is_pending(self, instance: str) -> bool:
        known = self.page.instances.get(instance)
        return known is not None and known.status is Status.PENDING

    def _regions(self, prompt: Prompt) -> Iterable[Painted]:
        for painted in self.source.saved.painted.values():
            if painted.image == prompt.image and painted.label == prompt.label:
                yield painted

    def _holds(self, painted: Painted, prompt: Prompt) -> bool:
        """Whether a region lies under a click, or under the middle of a rectangle."""
        x, y = prompt.at(0.5, 0.5) if prompt.kind is Kind.BOX else (prompt.x, prompt.y)
        return self.read(painted).contains(x, y)

    def _covers(self, instance: Instance, prompt: Prompt) -> bool:
        """Whether what the person saw of an object, or its accepted region, is under a click."""
        if instance.shown is not None and instance.shown.contains(prompt.x, prompt.y):
            return True
        return instance.base is not None and self._holds(instance.base, prompt)

    def _box(self, instance: Instance) -> Prompt | None:
        owned = self.page.owned(instance.id)
        boxes = [m.prompt for m in owned if m.live and m.prompt.kind is Kind.BOX]
        return boxes[-1] if boxes else None

    def _tick(self) -> int:
        clock = self.page.clock
        self.page = replace(self.page, clock=clock + 1)
        return clock

    def _give(self, mark: Mark, owner: str, *, on: bool) -> None:
        self._put_mark(replace(mark, owner=owner, on=on))

    def _put_mark(self, mark: Mark) -> None:
        self.page = replace(self.page, marks={**self.page.marks, mark.prompt.id: mark})

    def _put(self, instance: Instance) -> None:
        instances = {**self.page.instances, instance.id: instance}
        self.page = replace(self.page, instances=instances)
