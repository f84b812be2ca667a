"""Remembers the pages of annotators, for many threads at once."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count
from weakref import WeakValueDictionary

from backend.session.annotator_page import AnnotatorPage, Status
from backend.session.answer_plan import AnswerPlan, ImagePlan, LikeAsked, RepeatedMask
from backend.session.bitmask import BitMask
from backend.session.call import Call
from backend.session.hold_still import Heard, with_shown
from backend.session.like import Proposed, with_proposals
from backend.session.masks import MAX_PIXELS, MaskCache, MaskReader
from backend.session.match_page import match_page
from backend.session.page_bytes import KeptPage
from backend.session.page_tier import Alone, PageTier
from backend.session.paint import Paint
from backend.session.reconcile import reconcile
from backend.session.regions import ImageKey

_REMEMBERED_ANSWERS = 16


@dataclass(frozen=True)
class Ticket:
    """One call in progress: what to answer, and to which page."""

    page: int
    serial: int
    clock: int
    plan: AnswerPlan
    ids: frozenset[str]


@dataclass
class _Entry:
    page: AnnotatorPage
    latest: Ticket | None = None
    remembered: int = -1
    heard: Mapping[ImageKey, Heard] = field(default_factory=dict)
    nbytes: int = 0


class SessionStore:
    """Pages in memory, bounded. Lost with the process, rebuilt from drafts and contexts.

    Other processes go on with what lies in the tier, and this one with what they left there.

    The calls of a task are taken in one after the other, because each may turn out to come from any
    of its pages. Those of other tasks do not wait for them.
    """

    def __init__(
        self,
        *,
        max_bytes: int = 256_000_000,
        max_pages: int = 10_000,
        max_pixels: int = MAX_PIXELS,
        tier: PageTier | None = None,
    ) -> None:
        """Bound the memory.

        Args:
            max_bytes: of all pages and, separately, of the decoded masks of drafts. The pages
                unused for longest go first.
            max_pages: pages kept.
            max_pixels: of the largest image; bounds the masks of a call (``MaskReader``).
            tier: shares pages with other processes; None if there are none.
        """
        self._tier = tier or Alone()
        self._max_bytes = max_bytes
        self._max_pages = max_pages
        self._max_pixels = max_pixels
        self._lock = threading.Lock()  # taken after the lock of a task, and held for moments only
        self._tasks: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._pages: OrderedDict[int, _Entry] = OrderedDict()
        self._numbers = count()
        self._bytes = 0
        self._masks = MaskCache(max_bytes)

    def begin(self, call: Call) -> Ticket:
        """Take in a call and plan its answer. Thread-safe, needs no model.

        Raises:
            InvalidInputError: its masks have too many pixels (``MaskReader``).
        """
        read = MaskReader(self._max_pixels, self._masks)
        possible = call.drafts or (*call.annotations, *call.prefill)
        for entry in chain(call.context, *(saved.entries for saved in possible)):
            if isinstance(entry, Paint):
                read(entry)  # before the task is locked, so that its other calls need not wait
        with self._lock_of(call.task):
            self._take_over(call.task)
            number, known = self._find(call)
            page, plan = reconcile(known.page, call, read)
            masks = {o.id: o.shown for o in page.objects.values() if o.shown}
            plan = with_shown(plan, known.heard, masks)
            with self._lock:
                self._keep(number, known, page)
                ticket = Ticket(number, next(self._numbers), page.clock, plan, call.ids)
                if not plan.is_stale:
                    known.latest = ticket
            return ticket

    def is_superseded(self, ticket: Ticket) -> bool:
        """Whether a later call of the page holds a click of this one, or came before it."""
        if ticket.plan.is_stale:
            return True
        with self._lock:
            entry = self._pages.get(ticket.page)
            latest = entry.latest if entry else None
        return (
            latest is not None and latest.serial > ticket.serial and bool(latest.ids & ticket.ids)
        )

    def remember(
        self, ticket: Ticket, masks: Mapping[str, BitMask], segmented: Collection[ImageKey]
    ) -> None:
        """Keep what was answered: masks by region id, as the page will store them.

        ``segmented`` are the images whose masks answer the call's clicks, not earlier ones.
        """
        with self._lock:
            entry = self._pages.get(ticket.page)
        if entry is None:
            return
        with self._lock_of(entry.page.task):
            is_newest = ticket.serial > entry.remembered
            entry.remembered = max(entry.remembered, ticket.serial)
            objects = dict(entry.page.objects)
            if is_newest:
                new = {p.image: Heard.of(p) for p in ticket.plan.images if p.image in segmented}
                entry.heard = {**entry.heard, **new}
            if is_newest:  # an object without pixels is not seen: it cannot be accepted or repeated
                for lost in (ticket.plan.ids - masks.keys()) & objects.keys():
                    objects[lost] = replace(objects[lost], shown=None)
            for object_id in masks.keys() & objects.keys():
                obj = objects[object_id]
                answers = (*obj.answers, (masks[object_id].digest, ticket.clock))
                shown = masks[object_id] if is_newest else obj.shown
                objects[object_id] = replace(
                    obj, shown=shown, answers=answers[-_REMEMBERED_ANSWERS:]
                )
            with self._lock:
                self._keep(ticket.page, entry, replace(entry.page, objects=objects))
                of_task = self._of(entry.page.task).values()
                kept = tuple(KeptPage(one.page, one.heard) for one in of_task)
            self._tier.keep(entry.page.task, kept)

    def propose(self, ticket: Ticket, asked: LikeAsked, proposed: Sequence[Proposed]) -> list[str]:
        """Add proposals to a page, and return their region ids; none if it is forgotten."""
        with self._lock:
            entry = self._pages.get(ticket.page)
        if entry is None:
            return []
        with self._lock_of(entry.page.task):
            page, ids = with_proposals(entry.page, asked, proposed)
            with self._lock:
                self._keep(ticket.page, entry, page)
        return ids

    def has_pending(self, page: int) -> bool:
        """Whether a page shows masks that are neither accepted nor dropped; no if forgotten."""
        with self._lock:
            entry = self._pages.get(page)
            objects = entry.page.objects.values() if entry else ()
            return any(o.status is Status.PENDING and o.shown is not None for o in objects)

    def last_answer(self, ticket: Ticket) -> AnswerPlan:
        """A plan that repeats the last good masks of the page, for when the model fails."""
        with self._lock:
            entry = self._pages.get(ticket.page)
        images: dict[ImageKey, list[RepeatedMask]] = {}
        for obj in entry.page.objects.values() if entry else ():
            if obj.status is Status.PENDING and obj.shown is not None:
                repeat = RepeatedMask(obj.id, obj.label, obj.shown)
                images.setdefault(obj.image, []).append(repeat)
        fixed = {part.image: part.fixed for part in ticket.plan.images}
        plans = (
            ImagePlan(image, repeats=tuple(repeats), fixed=fixed.get(image, ()))
            for image, repeats in sorted(images.items(), key=lambda item: item[0])
        )
        return AnswerPlan(tuple(plans))

    def _lock_of(self, task: str) -> threading.Lock:
        """The lock of a task; it lasts while somebody holds or awaits it."""
        with self._lock:
            return self._tasks.setdefault(task, threading.Lock())

    def _take_over(self, task: str) -> None:
        """Go on with the pages that another process has changed."""
        with self._lock:
            mine = self._of(task)
        found = self._tier.recall(task, is_known=bool(mine))
        if found is None:
            return
        with self._lock:
            for number in mine:
                if dropped := self._pages.pop(number, None):
                    self._forget(dropped)
            for kept in found:
                number = next(self._numbers)
                self._keep(number, _Entry(kept.page, heard=kept.heard), kept.page)

    def _of(self, task: str) -> dict[int, _Entry]:
        """The pages of a task by number, those used last at the end."""
        return {n: entry for n, entry in self._pages.items() if entry.page.task == task}

    def _find(self, call: Call) -> tuple[int, _Entry]:
        """The caller's page and its number, made if it is new; updates what is known of it."""
        with self._lock:
            mine = {number: entry.page for number, entry in self._of(call.task).items()}
        number, page = match_page(mine, call)
        with self._lock:
            if number is None:
                number = next(self._numbers)
            entry = self._pages.setdefault(number, _Entry(page))
            entry.page = page
            self._pages.move_to_end(number)
            return number, entry

    def _keep(self, number: int, entry: _Entry, page: AnnotatorPage) -> None:
        """Store a page, again if it was dropped meanwhile, and drop the oldest over the limits."""
        self._pages.setdefault(number, entry)
        self._bytes += page.nbytes - entry.nbytes
        entry.page, entry.nbytes = page, page.nbytes
        while self._bytes > self._max_bytes or len(self._pages) > self._max_pages:
            oldest = next(iter(self._pages))
            if oldest == number:
                break
            self._forget(self._pages.pop(oldest))

    def _forget(self, dropped: _Entry) -> None:
        self._bytes -= dropped.nbytes
        dropped.nbytes = 0
