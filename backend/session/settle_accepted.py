"""Which objects were accepted, rejected or taken away."""

from dataclasses import replace

from backend.session.annotator_page import Instance, Mark, Page, Status
from backend.session.call import Painted
from backend.session.saved_page import Source


def update(page: Page, source: Source) -> Page:
    """Objects and their marks after the marks on the page are known."""
    for instance in list(page.instances.values()):
        page = _settle(page, instance, source)
    return _release(page, source)


def _settle(page: Page, instance: Instance, source: Source) -> Page:
    painted = source.saved.painted.get(instance.id)
    owned = list(page.owned(instance.id))
    if painted is not None and _is_new(instance, painted, source):
        return _accept(page, instance, painted, source)
    if painted is None and instance.status is not Status.PENDING:
        return _without_region(page, instance, owned, source)
    told = source.tells_about(max([mark.version for mark in owned] + [instance.version]))
    if _alive(instance, owned, painted, told):
        base = None if told and painted is None else instance.base
        return _put(page, replace(instance, status=Status.PENDING, base=base))
    if told:  # by a saved page newer than all that is known of it, and it is not accepted there
        return _reject(page, instance, painted)
    return _presume(page, instance, owned)


def _without_region(page: Page, instance: Instance, owned: list[Mark], source: Source) -> Page:
    """An accepted object whose region is not in the source: its accept was undone, or deleted."""
    told = source.tells_about(instance.version)
    if any(mark.on and (mark.live or (told and not mark.gone)) for mark in owned):
        marks = {m.prompt.id: replace(m, spent=False) for m in owned if not m.gone}
        back = replace(instance, status=Status.PENDING, base=None, keeps=False)
        return _put(page, back, marks)
    return _forget(page, instance) if told else page


def _presume(page: Page, instance: Instance, owned: list[Mark]) -> Page:
    """Its marks vanished and nothing tells why: taken for accepted, if there was a mask."""
    if instance.status is not Status.PENDING:
        return page
    if instance.shown is None and instance.base is None:
        return _forget(page, instance)
    presumed = replace(instance, status=Status.PRESUMED, version=page.version)
    return _put(page, presumed, {m.prompt.id: replace(m, spent=True) for m in owned})


def _alive(instance: Instance, owned: list[Mark], painted: Painted | None, told: bool) -> bool:
    """Whether something on the page still asks for it."""
    if instance.status is Status.ACCEPTED:
        return False
    if instance.scribble is not None and painted is not None:
        return _is_stroke(instance, painted)
    if instance.scribble is not None and not told:
        return True
    live = [mark for mark in owned if mark.live]
    if instance.base is not None or instance.keeps:
        return bool(live)
    return any(mark.on and mark.prompt.positive for mark in live)


def _is_new(instance: Instance, painted: Painted, source: Source) -> bool:
    """Whether the region in the source is there by an accept (or a correction) since ``base``."""
    if instance.status is Status.ACCEPTED:
        return source.tells_about(instance.version) or not instance.version
    if _is_stroke(instance, painted):
        return False
    return instance.base is None or painted.digest != instance.base.digest


def _is_stroke(instance: Instance, painted: Painted) -> bool:
    """Whether a region is still the stroke an object was asked for with.

    A saved copy of strokes cannot be compared with the pixels that a call may hold in their place.
    """
    scribble = instance.scribble
    if scribble is None:
        return False
    unlike = bool(scribble.rle) and bool(painted.strokes) and not painted.rle
    return unlike or painted.digest == scribble.digest


def _accept(page: Page, instance: Instance, painted: Painted, source: Source) -> Page:
    """Its marks up to the accepted answer are spent; those since are to be given out again."""
    clock = instance.answered_at(painted)
    order = source.saved.order
    place = order[painted.id]
    marks = {}
    for mark in page.owned(instance.id):
        if clock is not None:
            spent = mark.born < clock
        else:  # corrected by hand since: the page's own order tells
            spent = (
                mark.gone
                or order.get(mark.prompt.id, len(order)) < place
                or (instance.base is not None and mark.prompt.id in order)
            )
        marks[mark.prompt.id] = replace(
            mark, spent=spent or mark.spent, owner=instance.id if spent or mark.spent else None
        )
    accepted = replace(
        instance,
        label=painted.label or instance.label,
        status=Status.ACCEPTED,
        version=source.saved.version if source.certain else page.version,
        base=None,
        scribble=None,
        keeps=instance.keeps or clock is None,
    )
    return _put(page, accepted, marks)


def _reject(page: Page, instance: Instance, painted: Painted | None) -> Page:
    """Back to the accepted region it changed, or away where there is none."""
    if painted is None:
        return _forget(page, instance)
    page = _forget(page, instance, since=instance.since)
    status = Status.ACCEPTED
    return _put(page, replace(instance, status=status, base=None, version=page.version))


def _forget(page: Page, instance: Instance, since: int = 0) -> Page:
    """Without the object; its marks that are still on the page are to be given out again."""
    marks = {}
    for mark_id, mark in page.marks.items():
        if mark.owner != instance.id or mark.born < since:
            marks[mark_id] = mark
        elif not mark.gone:
            marks[mark_id] = replace(mark, owner=None, spent=False)
    instances = {key: value for key, value in page.instances.items() if key != instance.id}
    return replace(page, marks=marks, instances=instances)


def _release(page: Page, source: Source) -> Page:
    """Marks spent on a region that is no longer there ask again; deleted ones are forgotten."""
    marks = {}
    for mark_id, mark in page.marks.items():
        lost = mark.owner not in page.instances and mark.owner not in source.saved.painted
        if mark.gone and not mark.spent and source.tells_about(mark.version):
            continue
        if mark.spent and not mark.gone and lost:
            marks[mark_id] = replace(mark, owner=None, spent=False)
        else:
            marks[mark_id] = mark
    return replace(page, marks=marks)


def _put(page: Page, instance: Instance, marks: dict[str, Mark] | None = None) -> Page:
    instances = {**page.instances, instance.id: instance}
    return replace(page, instances=instances, marks={**page.marks, **(marks or {})})
