"""Remembers the pages of annotators, for many threads at once."""

from collections.abc import Mapping
from dataclasses import dataclass

from backend.session.bitmask import BitMask
from backend.session.evidence import Evidence
from backend.session.plan import Plan


@dataclass(frozen=True)
class Ticket:
    """One call in progress: what to answer, and for which page."""

    page: str
    serial: int
    plan: Plan


class SessionStore:
    """In memory and bounded; lost with the process, rebuilt from drafts and contexts.

    ``max_bytes`` bounds the masks and clicks kept; the pages unused for longest go first.
    """

    def __init__(self, *, max_bytes: int = 256_000_000, max_pages: int = 1000) -> None:
        raise NotImplementedError

    def begin(self, evidence: Evidence) -> Ticket:
        """Take in what a call tells and plan its answer. Thread-safe, quick, no model needed."""
        raise NotImplementedError

    def superseded(self, ticket: Ticket) -> bool:
        """Whether a later call of the same page is there whose context holds a click of this one."""
        raise NotImplementedError

    def remember(
        self, ticket: Ticket, masks: Mapping[str, BitMask], digests: Mapping[str, str]
    ) -> None:
        """Keep what was answered: masks and RLE digests by region id (``regions.Answer``)."""
        raise NotImplementedError

    def last_answer(self, ticket: Ticket) -> Plan:
        """A plan that repeats the last good masks of the page: for when the model fails."""
        raise NotImplementedError
