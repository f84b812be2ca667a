"""Which draft or annotation shows the page a call came from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from backend.session.annotator_page import Page
from backend.session.call import Evidence, Painted, Prompt, SavedPage


@dataclass(frozen=True)
class Source:
    """The saved page of the caller's page.

    ``certain`` is False where nothing shows that it is this page's: it then cannot tell that
    anything is gone. ``binding`` is False where its masks are those of several annotators, or of a
    prediction: they are then respected only where no click says otherwise.
    """

    saved: SavedPage
    certain: bool
    binding: bool = True

    def tells_about(self, version: str) -> bool:
        """Whether it was saved after ``version``."""
        return self.certain and self.saved.version > version


NOTHING = Source(SavedPage("none", ""), certain=False)


def likeliest(saved_pages: Sequence[SavedPage], page: Page, evidence: Evidence) -> SavedPage:
    """The one that shows the page.

    The one that holds most of what came in calls of the page; of equals the one known as its
    source, then the one that holds most of all that is known of it, then the newest. A person may
    have an older draft of another annotation of the task.
    """
    said = evidence.ids | page.said
    known = evidence.ids | page.marks.keys() | page.instances.keys()

    def likeness(saved: SavedPage) -> tuple[int, bool, int, str]:
        ids = saved.order.keys()
        return len(said & ids), saved.key == page.source, len(known & ids), saved.version

    return max(saved_pages, key=likeness)


def choose(page: Page, evidence: Evidence) -> Source:
    """The saved page of the caller's page, with the masks the call itself shows: they are newer."""
    source = _saved(page, evidence)
    masks = {entry.id: entry for entry in evidence.context if isinstance(entry, Painted)}
    if not masks:
        return source
    known = source.saved.order
    entries = [masks.get(entry.id, entry) for entry in source.saved.entries]
    entries += [mask for mask in masks.values() if mask.id not in known]
    return replace(source, saved=replace(source.saved, entries=tuple(entries)))


def _saved(page: Page, evidence: Evidence) -> Source:
    """The caller's draft for this page, else the annotation it shows.

    Drafts are the caller's own; of several the likeliest. Without a draft, annotations that share
    regions with the call, or are by the page's user, are certain. Without one, others may be on the
    page, and the newest prediction may have filled it: all their masks count, in doubt.
    """
    known = evidence.ids | page.marks.keys() | page.instances.keys()
    if evidence.drafts:
        return Source(likeliest(evidence.drafts, page, evidence), certain=True)
    if not evidence.annotations and not evidence.predictions:
        return NOTHING
    if evidence.annotations:
        best = likeliest(evidence.annotations, page, evidence)
        if known & best.order.keys() or (page.user and best.user == page.user):
            return Source(best, certain=True)
    painted: dict[str, Prompt | Painted] = {}
    for possible in (*evidence.filling, *_by_time(evidence.annotations)):
        painted |= possible.painted
    alone = len(evidence.annotations) == 1 and not evidence.filling
    return Source(SavedPage("possible", "", tuple(painted.values())), certain=False, binding=alone)


def _by_time(saved_pages: Sequence[SavedPage]) -> list[SavedPage]:
    return sorted(saved_pages, key=lambda saved: saved.version)
