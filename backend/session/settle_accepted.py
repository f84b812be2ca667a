"""Works out which objects were accepted, rejected or deleted."""

from dataclasses import replace

from backend.session.annotator_page import AnnotatorPage, PageObject, PagePrompt, Status
from backend.session.call import Call
from backend.session.like import settle_proposal
from backend.session.masks import MaskReader
from backend.session.paint import Paint
from backend.session.prompts import Prompt
from backend.session.saved_page import Source


def settle_accepted(
    page: AnnotatorPage, call: Call, source: Source, read: MaskReader
) -> AnnotatorPage:
    """Update objects and their prompts, once the prompts on the page are known."""
    for obj in list(page.objects.values()):
        page = _settle(page, obj, call, source, read)
    return _release_orphans(page, source)


def _settle(
    page: AnnotatorPage, obj: PageObject, call: Call, source: Source, read: MaskReader
) -> AnnotatorPage:
    mask = source.saved.masks.get(obj.id)
    owned = list(page.owned(obj.id))
    if mask is not None and _is_new(obj, mask, source, read):
        return _accept(page, obj, mask, source, read)
    if mask is None and obj.seed is not None:
        settled = settle_proposal(page, obj, source)
        if settled is not None:
            return _put(page, settled)
    if mask is None and obj.status is not Status.PENDING:
        return _without_region(page, obj, owned, call, source)
    is_told = source.is_newer_than(max([p.version for p in owned] + [obj.version]))
    if _is_wanted(obj, owned, mask, read, is_told=is_told):
        base = None if is_told and mask is None else obj.base
        return _put(page, replace(obj, status=Status.PENDING, base=base))
    if is_told:  # the saved page is newer than all that is known of it, and not accepted there
        return _reject(page, obj, mask)
    return _presume(page, obj, owned)


def _without_region(
    page: AnnotatorPage, obj: PageObject, owned: list[PagePrompt], call: Call, source: Source
) -> AnnotatorPage:
    """Settle an accepted object whose region is gone: undone, or deleted.

    Clicks that an undo has brought back ask again. Those that were there all the time may be left
    over: they ask again with the next click on the mask.
    """
    left = [prompt for prompt in owned if prompt.is_positive and not prompt.removed]
    is_gone = obj.status is Status.GONE or source.is_newer_than(obj.version)
    if any(p.is_live for p in left) or (left and is_gone and _is_clicked(page, obj, call)):
        prompts = {p.drawn.id: replace(p, used=False) for p in owned if not p.removed}
        back = replace(obj, status=Status.PENDING, base=None, keeps=False, opened=page.clock)
        return _put(page, back, prompts)
    if not is_gone:
        return page
    return _put(page, replace(obj, status=Status.GONE)) if left else _forget(page, obj)


def _is_clicked(page: AnnotatorPage, obj: PageObject, call: Call) -> bool:
    """Whether a prompt that was just drawn, with its label, lies on the mask it had."""
    newest = call.newest
    if not isinstance(newest, Prompt) or page.prompts[newest.id].owner is not None:
        return False
    is_alike = (newest.image, newest.label) == (obj.image, obj.label)
    return is_alike and obj.shown is not None and obj.shown.contains(*newest.anchor)


def _presume(page: AnnotatorPage, obj: PageObject, owned: list[PagePrompt]) -> AnnotatorPage:
    """Presume it accepted, if it had a mask: its prompts vanished, and nothing says why."""
    if obj.status is not Status.PENDING:
        return page
    if obj.shown is None and obj.base is None:
        return _forget(page, obj)
    presumed = replace(obj, status=Status.PRESUMED, version=page.version)
    return _put(page, presumed, {p.drawn.id: replace(p, used=True) for p in owned})


def _is_wanted(
    obj: PageObject, owned: list[PagePrompt], mask: Paint | None, read: MaskReader, *, is_told: bool
) -> bool:
    """Whether something on the page still asks for it."""
    if obj.status is Status.ACCEPTED:
        return False
    if obj.scribble is not None and mask is not None:
        return _is_stroke(obj, mask, read) and obj.status is Status.PENDING
    if obj.scribble is not None and not is_told:
        return obj.status is Status.PENDING
    live = [prompt for prompt in owned if prompt.is_live]
    if obj.base is not None or obj.keeps:
        return bool(live)
    return any(p.is_positive and p.drawn.positive for p in live)


def _is_new(obj: PageObject, mask: Paint, source: Source, read: MaskReader) -> bool:
    """Whether the region in the source came from an accept, or a correction, since ``base``."""
    if obj.status is Status.ACCEPTED:
        return source.is_newer_than(obj.version) or not obj.version
    if _is_stroke(obj, mask, read):
        return False
    return obj.base is None or read(mask).digest != read(obj.base).digest


def _is_stroke(obj: PageObject, mask: Paint, read: MaskReader) -> bool:
    """Whether a region is still the stroke that asked for the object.

    A saved copy of strokes cannot be compared with the pixels that a call may hold in their place.
    """
    scribble = obj.scribble
    if scribble is None:
        return False
    incomparable = scribble.stored is not None and mask.is_strokes_only
    return incomparable or read(mask).digest == read(scribble).digest


def _accept(
    page: AnnotatorPage, obj: PageObject, mask: Paint, source: Source, read: MaskReader
) -> AnnotatorPage:
    """Use up the prompts that made the accepted answer; release those drawn since."""
    clock = obj.answered_at(read(mask))
    order = source.saved.order
    position = order[mask.id]
    prompts = {}
    for prompt in page.owned(obj.id):
        if clock is not None:
            used = prompt.born < clock
        else:  # corrected by hand since: the page's own order tells
            used = (
                prompt.removed
                or order.get(prompt.drawn.id, len(order)) < position
                or (obj.base is not None and prompt.drawn.id in order)
            )
        used = used or prompt.used
        prompts[prompt.drawn.id] = replace(prompt, used=used, owner=obj.id if used else None)
    accepted = replace(
        obj,
        label=mask.label or obj.label,
        status=Status.ACCEPTED,
        version=source.saved.version if source.is_certain else page.version,
        base=None,
        scribble=None,
        keeps=obj.keeps or clock is None,
    )
    return _put(page, accepted, prompts)


def _reject(page: AnnotatorPage, obj: PageObject, mask: Paint | None) -> AnnotatorPage:
    """Go back to the accepted region it changed; without one, drop it."""
    if mask is None:
        return _forget(page, obj)
    page = _forget(page, obj, since=obj.since)
    return _put(page, replace(obj, status=Status.ACCEPTED, base=None, version=page.version))


def _forget(page: AnnotatorPage, obj: PageObject, since: int = 0) -> AnnotatorPage:
    """Drop the object, and release its prompts that are still on the page."""
    prompts = {}
    for prompt_id, prompt in page.prompts.items():
        if prompt.owner != obj.id or prompt.born < since:
            prompts[prompt_id] = prompt
        elif not prompt.removed:
            prompts[prompt_id] = replace(prompt, owner=None, used=False)
    objects = {key: value for key, value in page.objects.items() if key != obj.id}
    return replace(page, prompts=prompts, objects=objects)


def _release_orphans(page: AnnotatorPage, source: Source) -> AnnotatorPage:
    """Release prompts used on a region that is gone; forget deleted ones."""
    prompts = {}
    for prompt_id, prompt in page.prompts.items():
        is_orphan = prompt.owner not in page.objects and prompt.owner not in source.saved.masks
        if prompt.removed and not prompt.used and source.is_newer_than(prompt.version):
            continue
        if prompt.used and not prompt.removed and is_orphan:
            prompts[prompt_id] = replace(prompt, owner=None, used=False)
        else:
            prompts[prompt_id] = prompt
    return replace(page, prompts=prompts)


def _put(
    page: AnnotatorPage, obj: PageObject, prompts: dict[str, PagePrompt] | None = None
) -> AnnotatorPage:
    objects = {**page.objects, obj.id: obj}
    return replace(page, objects=objects, prompts={**page.prompts, **(prompts or {})})
