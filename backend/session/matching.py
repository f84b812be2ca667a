"""Which page a call comes from: nothing in it says so, but region ids, drafts and users hint."""

from collections.abc import Mapping
from dataclasses import replace

from backend.session.evidence import Evidence, Snapshot
from backend.session.page import Page


def match(pages: Mapping[int, Page], evidence: Evidence) -> tuple[int | None, Page]:
    """The number of the page among those of the task, oldest first, and the page told whose it is.

    None and an empty page where it is a new one. In order: a page that knows a region of the
    context; the page of the draft's user; a page nobody is known to own whose regions the draft
    holds; a page whose objects an annotation holds (submitted since). A caller without a draft who
    fits none of these is taken for the latest page that has no draft either: before the first
    autosave callers cannot be told apart.
    """
    newest_first = list(pages.items())[::-1]
    draft = max(evidence.drafts, key=lambda d: (_known(d, evidence), d.version), default=None)
    user = draft.user if draft else None
    for number, page in newest_first:
        if evidence.ids & page.marks.keys():
            return number, _claim(page, user, draft)
    if draft is not None:
        for number, page in newest_first:
            fits = page.user == user and page.source in {d.key for d in evidence.drafts}
            if fits or (page.user is None and _shares(page, draft)):
                return number, _claim(page, user, draft)
        return None, Page(evidence.task, user=user)
    for number, page in newest_first:
        if page.user is not None and any(_shares(page, a) for a in evidence.annotations):
            return number, replace(page, source=None)
    for number, page in newest_first:
        if page.user is None:
            return number, page
    return None, Page(evidence.task)


def _known(draft: Snapshot, evidence: Evidence) -> int:
    return len(evidence.ids & draft.order.keys())


def _shares(page: Page, snapshot: Snapshot) -> bool:
    return bool((page.marks.keys() | page.instances.keys()) & snapshot.order.keys())


def _claim(page: Page, user: str | None, draft: Snapshot | None) -> Page:
    if draft is None:
        return page
    own = {draft.key, page.source}
    source = page.source if page.source in own and page.source else draft.key
    return replace(page, user=user or page.user, source=source)
