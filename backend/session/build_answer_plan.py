"""The plan of an answer: every pending object of the page, and what they must leave alone."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from backend.session.annotator_page import BACKGROUND, Instance, Mark, Page, Status
from backend.session.answer_plan import ImagePlan, Plan, Repeat, Tap, Target
from backend.session.bitmask import BitMask
from backend.session.call import Evidence, ImageKey, Kind, Painted
from backend.session.masks import MaskReader
from backend.session.rectangles import around_all, binding, spots_inside
from backend.session.sampling import interior
from backend.session.saved_page import Source
from backend.session.strokes import clicks
from dynamite.clicks import MAX_CLICKS


def plan(page: Page, evidence: Evidence, source: Source, read: MaskReader) -> Plan:
    """What to answer for ``page`` now."""
    images = {i.image for i in page.instances.values() if i.status is Status.PENDING}
    planner = _Planner(page, evidence, source, read)
    found = [planner.image(image) for image in sorted(images)]
    return Plan(tuple(image for image in found if image.targets or image.repeats))


class _Planner:
    def __init__(self, page: Page, evidence: Evidence, source: Source, read: MaskReader) -> None:
        self._page = page
        self._evidence = evidence
        self._source = source
        self._read = read
        self._painted = source.saved.painted

    def image(self, image: ImageKey) -> ImagePlan:
        """The plan for one image."""
        pending = [
            i
            for i in sorted(self._page.instances.values(), key=lambda i: i.opened)
            if i.image == image and i.status is Status.PENDING
        ]
        doubted = {i.id for i in pending if self._in_doubt(i)}
        asked = [i for i in pending if i.id not in doubted]
        targets = self._targets(asked)
        repeats = [Repeat(i.id, i.label, i.shown) for i in pending if i.id in doubted and i.shown]
        held = [(i, self._read(i.base)) for i in pending if i.base and i.scribble is None]
        repeats = [replace(r, spares=_spared(r.id, (), held)) for r in repeats]
        boxes = [target.box for target in targets if target.box is not None]
        background = list(self._background(image, pending))
        around = around_all(boxes, targets, MAX_CLICKS - _count(targets) - len(background))
        if around is None:
            targets = self._targets(asked, spots=1)
        else:
            background += around
        targets = [replace(t, spares=_spared(t.id, t.taps, held)) for t in targets]
        frozen = self._frozen(image, {i.id for i in pending}, targets)
        return ImagePlan(image, tuple(targets), tuple(background), tuple(repeats), tuple(frozen))

    def _in_doubt(self, instance: Instance) -> bool:
        """Whether it may have been accepted with others that vanished, and was shown before."""
        if self._page.doubt is None or instance.shown is None:
            return False
        live = [mark for mark in self._page.owned(instance.id) if mark.live]
        covered = any(self._evidence.covers(mark.prompt) for mark in live)
        return not covered and all(mark.born < self._page.doubted_from for mark in live)

    def _targets(self, asked: list[Instance], spots: int | None = None) -> list[Target]:
        """Those with a click. ``spots``: clicks that stand for a rectangle, all where left out."""
        return [target for i in asked if (target := self._target(i, spots)).taps]

    def _target(self, instance: Instance, spots: int | None) -> Target:
        marks = self._evidence_of(instance)
        taps = [_tap(mark) for mark in marks if mark.on and mark.prompt.kind is Kind.POINT]
        boxes = [mark for mark in marks if mark.prompt.kind is Kind.BOX]
        box = binding(boxes, taps)
        taps = [tap for mark in boxes for tap in spots_inside(mark)[:spots]] + taps
        target = Target(instance.id, instance.label, tuple(taps), box)
        kept = instance.scribble or (instance.base if instance.keeps else None)
        if kept is not None:
            sampled = [Tap(x, y, instance.opened) for x, y in _standing_for(kept, self._read)]
            fresh = tuple(_tap(mark) for mark in marks)
            strokes_only = bool(kept.strokes) and not kept.rle
            target = replace(
                target,
                taps=(*sampled, *taps),
                keep=self._read(kept),
                scribble=instance.scribble is not None or strokes_only,
                fresh=fresh,
            )
        elif not taps and instance.shown is not None:  # reopened, its clicks forgotten
            points = interior(instance.shown.array())
            target = replace(target, taps=tuple(Tap(x, y, instance.opened) for x, y in points))
        return target

    def _evidence_of(self, instance: Instance) -> list[Mark]:
        """Its marks on the page; of a reopened object also those that made the accepted mask."""
        marks = list(self._page.owned(instance.id))
        if instance.keeps:
            return [mark for mark in marks if mark.live and mark.born >= instance.since]
        return [mark for mark in marks if mark.live or mark.spent]

    def _background(self, image: ImageKey, pending: list[Instance]) -> Iterator[Tap]:
        for mark in self._page.marks.values():
            if mark.prompt.image == image and mark.owner == BACKGROUND and mark.live:
                yield _tap(mark)
        for instance in pending:
            yield from (_tap(mark) for mark in self._evidence_of(instance) if not mark.on)

    def _frozen(
        self, image: ImageKey, pending: set[str], targets: list[Target]
    ) -> Iterator[BitMask]:
        taps = [tap for target in targets for tap in target.taps]
        for painted in self._painted.values():
            if painted.image != image or painted.id in pending:
                continue
            mask = self._read(painted)
            if self._source.binding or not any(mask.contains(tap.x, tap.y) for tap in taps):
                yield mask
        for instance in self._page.instances.values():
            if instance.image == image and instance.status is Status.PRESUMED and instance.shown:
                yield instance.shown


def _spared(
    own: str, taps: Iterable[Tap], held: list[tuple[Instance, BitMask]]
) -> tuple[BitMask, ...]:
    """The accepted masks being changed that an object has no click in, made since they are."""
    return tuple(
        mask
        for instance, mask in held
        if instance.id != own
        and not any(t.time >= instance.opened and mask.contains(t.x, t.y) for t in taps)
    )


def _count(targets: list[Target]) -> int:
    return sum(len(target.taps) for target in targets)


def _tap(mark: Mark) -> Tap:
    return Tap(mark.prompt.x, mark.prompt.y, mark.born)


def _standing_for(painted: Painted, read: MaskReader) -> list[tuple[float, float]]:
    """Clicks for a region whose clicks are not known: along its strokes, else deep inside it."""
    if painted.strokes and not painted.rle:
        mask = read(painted)
        along = [
            point
            for stroke in painted.strokes
            if not stroke.erases
            for point in clicks(stroke, painted.height, painted.width)
        ]
        return [(x, y) for x, y in along if mask.contains(x, y)]
    return interior(read(painted).array())
