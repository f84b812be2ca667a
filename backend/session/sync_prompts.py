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
    context = [entry for entry in call.context if isinstance(entry, Prompt)]
    synced = _without_missing(page, call, source, version)
    prompts = dict(synced.prompts)
    for drawn in context:
        if drawn.id in prompts:
            prompts[drawn.id] = replace(_seen(prompts[drawn.id], drawn, version), sent=True)
    clock = page.clock
    for drawn in _in_order(list(_unknown(page, call, source, context)), source):
        placed = replace(drawn, positive=_polarity(drawn, call))
        prompts[drawn.id] = PagePrompt(
            placed, clock, version, is_smart=drawn.is_smart, sent=drawn.id in call.ids
        )
        clock += 1
    return _relabel(page, replace(synced, prompts=prompts, clock=clock, version=version))


def _without_missing(
    page: AnnotatorPage, call: Call, source: Source, version: str
) -> AnnotatorPage:
    """Take away the prompts that the source and the context show to be gone.

    A context tells more than it says: where all smart prompts of its label have vanished, all were
    accepted or rejected, with any label; where one is back, nothing was, or it was undone.
    """
    known = [page.prompts[prompt_id] for prompt_id in call.ids & page.prompts.keys()]
    is_back = any(prompt.removed for prompt in known)
    is_undone = any(prompt.removed and prompt.presumed is None for prompt in known)
    absent = {
        prompt_id: prompt
        for prompt_id, prompt in page.prompts.items()
        if prompt_id not in call.ids and call.covers(prompt.drawn)
    }
    missing = [prompt for prompt in absent.values() if not prompt.removed]
    unexplained = [prompt for prompt in missing if not _explains(source, prompt)]
    all_vanished = not is_back and _all_vanished(unexplained, known)
    prompts = {
        prompt_id: prompt if prompt_id in call.ids else _by_source(prompt, source)
        for prompt_id, prompt in page.prompts.items()
    }
    for prompt_id, prompt in absent.items():
        prompts[prompt_id] = replace(prompt, removed=True, presumed=None)
    for prompt in unexplained:
        used = prompt.used or all_vanished
        prompts[prompt.drawn.id] = replace(prompt, removed=True, used=used, version=version)
    if is_undone:  # or another page's calls were taken for this one's
        for prompt in missing:
            del prompts[prompt.drawn.id]
    synced = replace(page, prompts=prompts)
    if is_back:
        return restore_presumed(synced, known)
    return presume_all(synced, version) if all_vanished else synced


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
        return replace(prompt, removed=True, presumed=None)
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
        presumed=None,
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
