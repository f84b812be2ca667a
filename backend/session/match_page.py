"""Which page a call comes from: nothing in it says so, but region ids, drafts and users hint."""

from collections.abc import Mapping
from dataclasses import replace

from backend.session.annotator_page import Page
from backend.session.call import Evidence, Painted, SavedPage
from backend.session.saved_page import likeliest


def match(pages: Mapping[int, Page], evidence: Evidence) -> tuple[int | None, Page]:
    """The number of the page among those of the task, oldest first, and the page told whose it is.

    None and an empty page where it is a new one. In order: a page that knows a region of the
    context; the page of the draft's user; a page nobody is known to own, if the draft may be its
    draft; a page whose objects an annotation holds (submitted since). A caller without a draft who
    fits none of these is taken for the latest page that has no draft either: before the first
    autosave callers cannot be told apart.
    """
    draft = max(evidence.drafts, key=lambda d: (_known(d, evidence), d.version), default=None)
    for fits in _by_region, _by_draft, _by_annotation, _by_absence:
        for number, page in list(pages.items())[::-1]:
            if fits(page, evidence, draft):
                return number, _claim(page, evidence, draft)
    return None, _claim(Page(evidence.task), evidence, draft)


def _by_region(page: Page, evidence: Evidence, draft: SavedPage | None) -> bool:
    possible = draft is None or page.user in {None, draft.user}
    return possible and bool(evidence.ids & page.marks.keys())


def _by_draft(page: Page, evidence: Evidence, draft: SavedPage | None) -> bool:
    if draft is None:
        return False
    if page.user is None:
        return _shares(page, draft) or not _strangers(draft, evidence)
    tabs = [draft] if _known(draft, evidence) else evidence.drafts
    return page.user == draft.user and page.source in {None, *(tab.key for tab in tabs)}


def _by_annotation(page: Page, evidence: Evidence, draft: SavedPage | None) -> bool:
    shared = any(_shares(page, annotation) for annotation in evidence.annotations)
    return draft is None and page.user is not None and shared


def _by_absence(page: Page, _: Evidence, draft: SavedPage | None) -> bool:
    return draft is None and page.user is None


def _known(draft: SavedPage, evidence: Evidence) -> int:
    return len(evidence.ids & draft.order.keys())


def _shares(page: Page, saved: SavedPage) -> bool:
    return bool((page.marks.keys() | page.instances.keys()) & saved.order.keys())


def _strangers(draft: SavedPage, evidence: Evidence) -> bool:
    """Whether a draft holds what only another page can have drawn or accepted.

    Every smart keypoint makes a call, so one nobody knows is not of a page we know.
    """
    return any(
        entry.id not in evidence.ids and not (isinstance(entry, Painted) and entry.strokes)
        for entry in draft.entries
    )


def _claim(page: Page, evidence: Evidence, draft: SavedPage | None) -> Page:
    """The page told by a draft whose it is; without drafts, what it had is submitted."""
    if draft is None:
        return replace(page, source=None)
    source = likeliest(evidence.drafts, page, evidence)
    return replace(page, user=draft.user or page.user, source=source.key)
