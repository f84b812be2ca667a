"""Works out which keypoints and boxes are on the page."""

from collections.abc import Iterable
from dataclasses import replace

from backend.session.annotator_page import AnnotatorPage, PagePrompt, Status
from backend.session.call import Call
from backend.session.presume import presume_all, restore_presumed
from backend.session.prompts import Prompt
from backend.session.saved_page import Source


def sync_prompts(page: AnnotatorPage, call: Call, source: Source) -> AnnotatorPage:
    """Update the prompts: the context decides for its shape and label, the source for the rest."""
    version = max(page.version, source.saved.version if source.is_certain else "")
    prompts = dict(page.prompts)
    for prompt_id, prompt in page.prompts.items():
        if prompt_id not in call.ids and not call.covers(prompt.drawn):
            prompts[prompt_id] = _by_source(prompt, source)
    context = [entry for entry in call.context if isinstance(entry, Prompt)]
    known = [prompts[drawn.id] for drawn in context if drawn.id in prompts]
    is_back = any(prompt.removed for prompt in known)
    undone = any(prompt.removed and not prompt.presumed for prompt in known)
    covered = [p for p in page.prompts.values() if call.covers(p.drawn) and not p.removed]
    missing = [prompt for prompt in covered if prompt.drawn.id not in call.ids]
    unexplained = [prompt for prompt in missing if not _explains(source, prompt)]
    all_vanished = not is_back and _all_vanished(unexplained, known)
    for prompt in missing:
        if undone:  # an accept was undone, or another page's calls were taken for this one's
            del prompts[prompt.drawn.id]
        elif prompt in unexplained:
            used = prompt.used or all_vanished
            gone = replace(prompt, removed=True, used=used, version=version)
            prompts[prompt.drawn.id] = gone
        else:
            prompts[prompt.drawn.id] = replace(prompt, removed=True)
    for drawn in context:
        if drawn.id in prompts:
            prompts[drawn.id] = replace(_seen(prompts[drawn.id], drawn, version), sent=True)
    synced = replace(page, prompts=prompts)
    if is_back:
        synced = restore_presumed(synced)
    elif all_vanished:
        synced = presume_all(synced, version)
    prompts = dict(synced.prompts)
    clock = page.clock
    for drawn in _in_order(list(_unknown(page, call, source, context)), source):
        placed = replace(drawn, positive=_polarity(drawn, call))
        prompts[drawn.id] = PagePrompt(
            placed, clock, version, is_smart=drawn.is_smart, sent=drawn.id in call.ids
        )
        clock += 1
    return _relabel(page, replace(synced, prompts=prompts, clock=clock, version=version))


def _relabel(before: AnnotatorPage, page: AnnotatorPage) -> AnnotatorPage:
    """Detach prompts that got another label; an object left without any is dropped."""
    changed = {
        prompt_id: prompt
        for prompt_id, prompt in page.prompts.items()
        if prompt_id in before.prompts
        and before.prompts[prompt_id].drawn.label != prompt.drawn.label
        and not prompt.used
    }
    if not changed:
        return page
    detached = {key: replace(prompt, owner=None) for key, prompt in changed.items()}
    prompts = {**page.prompts, **detached}
    left = {p.owner for p in changed.values()} - {p.owner for p in prompts.values()}
    objects = {
        key: obj
        for key, obj in page.objects.items()
        if key not in left or obj.base is not None or obj.status is not Status.PENDING
    }
    return replace(page, prompts=prompts, objects=objects)


def _by_source(prompt: PagePrompt, source: Source) -> PagePrompt:
    if not source.is_newer_than(prompt.version):
        return prompt
    drawn = source.saved.prompts.get(prompt.drawn.id)
    if drawn is None:
        return replace(prompt, removed=True, presumed=False)
    seen = _seen(prompt, drawn, source.saved.version)
    return replace(seen, is_smart=prompt.is_smart)


def _seen(prompt: PagePrompt, drawn: Prompt, version: str) -> PagePrompt:
    """Return the prompt as the page shows it now."""
    positive = prompt.drawn.positive if drawn.positive is None else drawn.positive
    return replace(
        prompt,
        drawn=replace(drawn, positive=positive),
        version=version,
        removed=False,
        used=prompt.used and not prompt.removed,  # back after an undo: it asks again
        presumed=False,
        is_smart=drawn.is_smart,
    )


def _unknown(
    page: AnnotatorPage, call: Call, source: Source, context: list[Prompt]
) -> Iterable[Prompt]:
    """Yield the prompts of the context and the source that the page does not know."""
    yield from (drawn for drawn in context if drawn.id not in page.prompts)
    if source.is_certain:
        for drawn in source.saved.prompts.values():
            known = drawn.id in page.prompts or drawn.id in call.ids
            if not known and not call.covers(drawn):
                yield drawn


def _in_order(drawn: list[Prompt], source: Source) -> list[Prompt]:
    """Sort into drawing order: the source's, then the rest of the context in its own order."""
    order = source.saved.order if source.is_certain else {}
    return sorted(drawn, key=lambda prompt: order.get(prompt.id, len(order)))


def _polarity(drawn: Prompt, call: Call) -> bool:
    """Return what the prompt says, else what a saved copy says, else positive."""
    copies = [s.prompts.get(drawn.id) for s in (*call.drafts, *call.annotations)]
    known = [copy.positive for copy in (drawn, *copies) if copy and copy.positive is not None]
    return known[0] if known else True


def _explains(source: Source, prompt: PagePrompt) -> bool:
    """Whether a saved page shows that a prompt is gone, and so what became of it."""
    return source.is_newer_than(prompt.version) and prompt.drawn.id not in source.saved.prompts


def _all_vanished(missing: list[PagePrompt], remaining: list[PagePrompt]) -> bool:
    """Whether all smart prompts of a label vanished at once: accepted or rejected, with all others.

    Perhaps one was undone or deleted: that looks the same.
    """
    return any(p.is_smart for p in missing) and not any(p.is_smart for p in remaining)
