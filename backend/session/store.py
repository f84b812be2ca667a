"""Remembers the pages of annotators, for many threads at once."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain, count

from backend.session.annotator_page import AnnotatorPage, Status
from backend.session.answer_plan import AnswerPlan, ImagePlan, RepeatedMask
from backend.session.bitmask import BitMask
from backend.session.call import Call
from backend.session.masks import MaskReader
from backend.session.match_page import match_page
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
    nbytes: int = 0


class SessionStore:
    """Pages in memory, bounded. Lost with the process, rebuilt from drafts and contexts.

    ``max_bytes`` bounds what is kept of pages and, separately, the decoded masks of drafts. The
    pages unused for longest go first.
    """

    def __init__(self, *, max_bytes: int = 256_000_000, max_pages: int = 10_000) -> None:
        self._max_bytes = max_bytes
        self._max_pages = max_pages
        self._lock = threading.Lock()
        self._pages: OrderedDict[int, _Entry] = OrderedDict()
        self._numbers = count()
        self._bytes = 0
        self._read = MaskReader(max_bytes)

    def begin(self, call: Call) -> Ticket:
        """Take in a call and plan its answer. Thread-safe, quick, needs no model."""
        possible = call.drafts or (*call.annotations, *call.prefill)
        for entry in chain(call.context, *(saved.entries for saved in possible)):
            if isinstance(entry, Paint):
                self._read(entry)  # decoded outside the lock, so that others need not wait
        with self._lock:
            number = self._find(call)
            known = self._pages[number]
            page, plan = reconcile(known.page, call, self._read)
            self._keep(number, page)
            ticket = Ticket(number, next(self._numbers), known.page.clock, plan, call.ids)
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
        self, ticket: Ticket, masks: Mapping[str, BitMask], digests: Mapping[str, str]
    ) -> None:
        """Keep what was answered: masks and their digests (``paint.digest``) by region id."""
        with self._lock:
            entry = self._pages.get(ticket.page)
            if entry is None:
                return
            is_newest = ticket.serial > entry.remembered
            entry.remembered = max(entry.remembered, ticket.serial)
            objects = dict(entry.page.objects)
            if is_newest:  # an object without pixels is not seen: it cannot be accepted or repeated
                for lost in (ticket.plan.ids - masks.keys()) & objects.keys():
                    objects[lost] = replace(objects[lost], shown=None)
            for object_id in masks.keys() & objects.keys():
                obj = objects[object_id]
                answers = (*obj.answers, (digests[object_id], ticket.clock))
                shown = masks[object_id] if is_newest else obj.shown
                objects[object_id] = replace(
                    obj, shown=shown, answers=answers[-_REMEMBERED_ANSWERS:]
                )
            self._keep(ticket.page, replace(entry.page, objects=objects))

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

    def _find(self, call: Call) -> int:
        """The number of the caller's page, made if it is new; updates what is known of it."""
        mine = {n: e.page for n, e in self._pages.items() if e.page.task == call.task}
        number, page = match_page(mine, call)
        if number is None:
            number = next(self._numbers)
            self._pages[number] = _Entry(page)
        self._pages[number].page = page
        self._pages.move_to_end(number)
        return number

    def _keep(self, number: int, page: AnnotatorPage) -> None:
        """Store a page, and drop the oldest others over the limits."""
        entry = self._pages[number]
        self._bytes += page.nbytes - entry.nbytes
        entry.page, entry.nbytes = page, page.nbytes
        while self._bytes > self._max_bytes or len(self._pages) > self._max_pages:
            oldest = next(iter(self._pages))
            if oldest == number:
                break
            self._bytes -= self._pages.pop(oldest).nbytes
