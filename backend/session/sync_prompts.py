"""Which keypoints and rectangles are on the page."""

from collections.abc import Iterable
from dataclasses import replace

from backend.session.annotator_page import Mark, Page, Status
from backend.session.call import Evidence, Kind, Prompt
from backend.session.saved_page import Source


def update(page: Page, evidence: Evidence, source: Source) -> Page:
    """Marks after a call: the context decides for its kind and label, the source for the rest."""
    version = max(page.version, source.saved.version if source.certain else "")
    marks = dict(page.marks)
    for mark_id, mark in page.marks.items():
        if mark_id not in evidence.ids and not evidence.covers(mark.prompt):
            marks[mark_id] = _by_source(mark, source)
    context = [prompt for prompt in evidence.context if isinstance(prompt, Prompt)]
    undone = any(prompt.id in marks and marks[prompt.id].gone for prompt in context)
    covered = [m for m in page.marks.values() if evidence.covers(m.prompt) and not m.gone]
    missing = [mark for mark in covered if mark.prompt.id not in evidence.ids]
    for mark in missing:
        if undone:  # an accept was undone, or another page's calls were taken for this one's
            del marks[mark.prompt.id]
        else:
            marks[mark.prompt.id] = replace(mark, gone=True)
    for prompt in context:
        if prompt.id in marks:
            marks[prompt.id] = replace(_seen(marks[prompt.id], prompt, version), said=True)
    remaining = [marks[mark.prompt.id] for mark in covered if mark not in missing]
    untold = [m for m in missing if not undone and not source.tells_about(m.version)]
    doubted = _doubt(page, untold, remaining, version)
    clock = page.clock
    for prompt in _in_order(list(_unknown(page, evidence, source, context)), source):
        placed = replace(prompt, positive=_polarity(prompt, evidence))
        said = prompt.id in evidence.ids
        marks[prompt.id] = Mark(placed, clock, version, smart=_smart(prompt), said=said)
        clock += 1
    return _relabelled(page, replace(doubted, marks=marks, clock=clock, version=version))


def _relabelled(before: Page, page: Page) -> Page:
    """Marks that were given another label leave their object, which goes if it has no other."""
    changed = {
        mark_id: mark
        for mark_id, mark in page.marks.items()
        if mark_id in before.marks
        and before.marks[mark_id].prompt.label != mark.prompt.label
        and not mark.spent
    }
    if not changed:
        return page
    marks = {**page.marks, **{key: replace(mark, owner=None) for key, mark in changed.items()}}
    left = {mark.owner for mark in changed.values()} - {mark.owner for mark in marks.values()}
    instances = {
        key: instance
        for key, instance in page.instances.items()
        if key not in left or instance.base is not None or instance.status is not Status.PENDING
    }
    return replace(page, marks=marks, instances=instances)


def _by_source(mark: Mark, source: Source) -> Mark:
    if not source.tells_about(mark.version):
        return mark
    prompt = source.saved.prompts.get(mark.prompt.id)
    if prompt is None:
        return replace(mark, gone=True)
    seen = _seen(mark, prompt, source.saved.version)
    return replace(seen, smart=mark.smart)


def _seen(mark: Mark, prompt: Prompt, version: str) -> Mark:
    positive = mark.prompt.positive if prompt.positive is None else prompt.positive
    return replace(
        mark,
        prompt=replace(prompt, positive=positive),
        version=version,
        gone=False,
        spent=mark.spent and not mark.gone,  # back after an undo: it asks again
        smart=_smart(prompt),
    )


def _unknown(
    page: Page, evidence: Evidence, source: Source, context: list[Prompt]
) -> Iterable[Prompt]:
    yield from (prompt for prompt in context if prompt.id not in page.marks)
    if source.certain:
        for prompt in source.saved.prompts.values():
            known = prompt.id in page.marks or prompt.id in evidence.ids
            if not known and not evidence.covers(prompt):
                yield prompt


def _in_order(prompts: list[Prompt], source: Source) -> list[Prompt]:
    """As drawn: what the source holds in its order, then the rest of the context in its order."""
    order = source.saved.order if source.certain else {}
    return sorted(prompts, key=lambda prompt: order.get(prompt.id, len(order)))


def _polarity(prompt: Prompt, evidence: Evidence) -> bool:
    """As said, else as a saved copy says, else positive."""
    copies = [s.prompts.get(prompt.id) for s in (*evidence.drafts, *evidence.annotations)]
    said = [copy.positive for copy in (prompt, *copies) if copy and copy.positive is not None]
    return said[0] if said else True


def _doubt(page: Page, missing: list[Mark], remaining: list[Mark], version: str) -> Page:
    """Where all smart marks of a label vanish, one was undone, or everything was accepted.

    A newer saved page ends the doubt, and so does a smart mark that an accept would have deleted.
    """
    if page.doubt is not None and version > page.doubt:
        page = replace(page, doubt=None)
    if any(mark.smart for mark in remaining):
        return replace(page, doubt=None)
    if any(mark.smart for mark in missing):
        return replace(page, doubt=version, doubted_from=page.clock)
    return page


def _smart(prompt: Prompt) -> bool:
    """Smart keypoints say their polarity, ordinary and restored ones do not; boxes say nothing."""
    return prompt.kind is Kind.BOX or prompt.positive is not None
