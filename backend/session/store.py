"""Remembers the pages of annotators, for many threads at once."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain, count

from backend.session.annotator_page import Page, Status
from backend.session.answer_plan import ImagePlan, Plan, Repeat
from backend.session.bitmask import BitMask
from backend.session.call import Evidence, ImageKey, Painted
from backend.session.masks import MaskReader
from backend.session.match_page import match
from backend.session.reconcile import reconcile

_REMEMBERED_ANSWERS = 16


@dataclass(frozen=True)
class Ticket:
    """One call in progress: what to answer, and for which page."""

    page: int
    serial: int
    clock: int
    plan: Plan
    ids: frozenset[str]


@dataclass
class _Entry:
    page: Page
    latest: Ticket | None = None
    remembered: int = -1
    nbytes: int = 0


class SessionStore:
    """In memory and bounded; lost with the process, rebuilt from drafts and contexts.

    ``max_bytes`` bounds what is kept about pages, and separately the decoded masks of drafts; the
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

    def begin(self, evidence: Evidence) -> Ticket:
        """Take in what a call tells and plan its answer. Thread-safe, quick, no model needed."""
        possible = evidence.drafts or (*evidence.annotations, *evidence.filling)
        for region in chain(evidence.context, *(saved.entries for saved in possible)):
            if isinstance(region, Painted):
                self._read(region)  # here, so that others need not wait for it
        with self._lock:
            number = self._find(evidence)
            entry = self._pages[number]
            page, plan = reconcile(entry.page, evidence, self._read)
            self._keep(number, page)
            ticket = Ticket(number, next(self._numbers), entry.page.clock, plan, evidence.ids)
            if not plan.overtaken:
                entry.latest = ticket
            return ticket

    def superseded(self, ticket: Ticket) -> bool:
        """Whether a later call of the page holds a click of this one, or had come before it."""
        if ticket.plan.overtaken:
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
        """Keep what was answered: masks and RLE digests by region id (``regions.Answer``)."""
        with self._lock:
            entry = self._pages.get(ticket.page)
            if entry is None:
                return
            newest = ticket.serial > entry.remembered
            entry.remembered = max(entry.remembered, ticket.serial)
            instances = dict(entry.page.instances)
            if newest:  # what got no pixel is not seen, so it cannot be accepted or repeated
                for lost in (ticket.plan.ids - masks.keys()) & instances.keys():
                    instances[lost] = replace(instances[lost], shown=None)
            for instance_id in masks.keys() & instances.keys():
                instance = instances[instance_id]
                answers = (*instance.answers, (digests[instance_id], ticket.clock))
                shown = masks[instance_id] if newest else instance.shown
                instances[instance_id] = replace(
                    instance, shown=shown, answers=answers[-_REMEMBERED_ANSWERS:]
                )
            self._keep(ticket.page, replace(entry.page, instances=instances))

    def has_pending(self, page: int) -> bool:
        """Whether a page shows masks that are neither accepted nor dropped; a forgotten one: no."""
        with self._lock:
            entry = self._pages.get(page)
            instances = entry.page.instances.values() if entry else ()
            return any(i.status is Status.PENDING and i.shown is not None for i in instances)

    def last_answer(self, ticket: Ticket) -> Plan:
        """A plan that repeats the last good masks of the page: for when the model fails."""
        with self._lock:
            entry = self._pages.get(ticket.page)
        images: dict[ImageKey, list[Repeat]] = {}
        for instance in entry.page.instances.values() if entry else ():
            if instance.status is Status.PENDING and instance.shown is not None:
                repeat = Repeat(instance.id, instance.label, instance.shown)
                images.setdefault(instance.image, []).append(repeat)
        frozen = {image.image: image.frozen for image in ticket.plan.images}
        plans = (
            ImagePlan(image, repeats=tuple(repeats), frozen=frozen.get(image, ()))
            for image, repeats in sorted(images.items(), key=lambda item: item[0])
        )
        return Plan(tuple(plans))

    def _find(self, evidence: Evidence) -> int:
        """The page a call comes from, made if it is a new one; with what the match taught us."""
        mine = {n: e.page for n, e in self._pages.items() if e.page.task == evidence.task}
        number, page = match(mine, evidence)
        if number is None:
            number = next(self._numbers)
            self._pages[number] = _Entry(page)
        self._pages[number].page = page
        self._pages.move_to_end(number)
        return number

    def _keep(self, number: int, page: Page) -> None:
        """Store a page, and drop others where that takes too much memory."""
        entry = self._pages[number]
        self._bytes += page.nbytes - entry.nbytes
        entry.page, entry.nbytes = page, page.nbytes
        while self._bytes > self._max_bytes or len(self._pages) > self._max_pages:
            oldest = next(iter(self._pages))
            if oldest == number:
                break
            self._bytes -= self._pages.pop(oldest).nbytes
