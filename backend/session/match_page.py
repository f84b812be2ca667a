"""Finds the page a call comes from. Nothing names it, but region ids, drafts and users hint."""

from collections.abc import Mapping
from dataclasses import replace

from backend.session.annotator_page import AnnotatorPage
from backend.session.call import Call, SavedPage
from backend.session.paint import Paint
from backend.session.saved_page import likeliest


def match_page(pages: Mapping[int, AnnotatorPage], call: Call) -> tuple[int | None, AnnotatorPage]:
    """Return the number of the caller's page and the page itself, updated with its user and source.

    ``pages`` are those of the task, oldest first; the number is None for a new page. Tried in this
    order: a page that knows a region of the context; the page of the draft's user; a page without a
    known user that may belong to the draft; a page whose objects an annotation holds (submitted
    since). A caller without a draft who fits none is taken for the latest page without a draft:
    before the first autosave, callers cannot be told apart.
    """
    draft = max(call.drafts, key=lambda d: (_known(d, call), d.version), default=None)
    for fits in _by_region, _by_draft, _by_annotation, _by_absence:
        for number, page in list(pages.items())[::-1]:
            if fits(page, call, draft):
                return number, _claim(page, call, draft)
    return None, _claim(AnnotatorPage(call.task), call, draft)


def _by_region(page: AnnotatorPage, call: Call, draft: SavedPage | None) -> bool:
    possible = draft is None or page.user in {None, draft.user}
    return possible and bool(call.ids & page.prompts.keys())


def _by_draft(page: AnnotatorPage, call: Call, draft: SavedPage | None) -> bool:
    if draft is None:
        return False
    if page.user is None:
        return _shares(page, draft) or not _holds_strangers(draft, call)
    tabs = [draft] if _known(draft, call) else call.drafts
    return page.user == draft.user and page.source in {None, *(tab.key for tab in tabs)}


def _by_annotation(page: AnnotatorPage, call: Call, draft: SavedPage | None) -> bool:
    shared = any(_shares(page, annotation) for annotation in call.annotations)
    return draft is None and page.user is not None and shared


def _by_absence(page: AnnotatorPage, _: Call, draft: SavedPage | None) -> bool:
    return draft is None and page.user is None


def _known(draft: SavedPage, call: Call) -> int:
    return len(call.ids & draft.order.keys())


def _shares(page: AnnotatorPage, saved: SavedPage) -> bool:
    return bool((page.prompts.keys() | page.objects.keys()) & saved.order.keys())


def _holds_strangers(draft: SavedPage, call: Call) -> bool:
    """Whether a draft holds what only another page can have drawn or accepted.

    Every smart keypoint makes a call, so an unknown one does not belong to a page we know.
    """
    return any(
        entry.id not in call.ids and not (isinstance(entry, Paint) and entry.strokes)
        for entry in draft.entries
    )


def _claim(page: AnnotatorPage, call: Call, draft: SavedPage | None) -> AnnotatorPage:
    """Return the page with its user and source; without drafts, what it had is submitted."""
    if draft is None:
        return replace(page, source=None)
    source = likeliest(call.drafts, page, call)
    return replace(page, user=draft.user or page.user, source=source.key)
