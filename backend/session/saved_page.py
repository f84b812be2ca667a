"""Chooses the draft or annotation that shows the caller's page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from backend.session.annotator_page import AnnotatorPage
from backend.session.call import Call, Entry, SavedPage
from backend.session.paint import Paint


@dataclass(frozen=True)
class Source:
    """The saved page chosen.

    ``is_certain`` is False where nothing shows that it is this page's: it then cannot tell that
    anything is gone. ``is_binding`` is False where its masks are those of several annotators or of
    a prediction: they are kept clear only where no click says otherwise. ``prefilled`` are the ids
    of masks that pre-labelling may have put on the page: a click in one, with its label, is for it.
    """

    saved: SavedPage
    is_certain: bool
    is_binding: bool = True
    prefilled: frozenset[str] = frozenset()

    def is_newer_than(self, version: str) -> bool:
        """Whether it is certain and was saved after ``version``."""
        return self.is_certain and self.saved.version > version


NO_SOURCE = Source(SavedPage("none", ""), is_certain=False)


def likeliest(saved_pages: Sequence[SavedPage], page: AnnotatorPage, call: Call) -> SavedPage:
    """Return the saved page that most likely shows ``page``.

    The one that holds most of what came in calls of the page; among equals the one known as its
    source, then the one that holds most of everything known of the page, then the newest. A person
    may have an older draft of another annotation of the same task.
    """
    sent = call.ids | page.sent
    known = call.ids | page.prompts.keys() | page.objects.keys()

    def likeness(saved: SavedPage) -> tuple[int, bool, int, str]:
        ids = saved.order.keys()
        return len(sent & ids), saved.key == page.source, len(known & ids), saved.version

    return max(saved_pages, key=likeness)


def choose_source(page: AnnotatorPage, call: Call) -> Source:
    """Return the saved page of the caller's page, with the newer masks of the call itself."""
    source = _choose(page, call)
    masks = {entry.id: entry for entry in call.context if isinstance(entry, Paint)}
    if not masks:
        return source
    known = source.saved.order
    entries = [masks.get(entry.id, entry) for entry in source.saved.entries]
    entries += [mask for mask in masks.values() if mask.id not in known]
    return replace(source, saved=replace(source.saved, entries=tuple(entries)))


def _choose(page: AnnotatorPage, call: Call) -> Source:
    """Return the caller's draft for this page, else the annotation it shows.

    Drafts are the caller's own: the likeliest is certain. Without a draft, an annotation is certain
    if it shares regions with the call or is by the page's user. Otherwise annotations of others, or
    the newest prediction, may be on the page: all their masks count, without certainty.
    """
    known = call.ids | page.prompts.keys() | page.objects.keys()
    if call.drafts:
        return Source(likeliest(call.drafts, page, call), is_certain=True)
    if not call.annotations and not call.predictions:
        return NO_SOURCE
    if call.annotations:
        best = likeliest(call.annotations, page, call)
        if known & best.order.keys() or (page.user and best.user == page.user):
            return Source(best, is_certain=True)
    masks: dict[str, Entry] = {}
    for possible in (*call.prefill, *_by_time(call.annotations)):
        masks |= possible.masks
    alone = len(call.annotations) == 1 and not call.prefill
    saved = SavedPage("possible", "", tuple(masks.values()))
    prefilled = frozenset(name for one in call.prefill for name in one.masks)
    return Source(saved, is_certain=False, is_binding=alone, prefilled=prefilled)


def _by_time(saved_pages: Sequence[SavedPage]) -> list[SavedPage]:
    return sorted(saved_pages, key=lambda saved: saved.version)
