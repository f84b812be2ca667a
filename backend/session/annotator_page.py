"""What is remembered of one annotator's view of one task."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b

from backend.session.bitmask import BitMask
from backend.session.call import ImageKey, Painted, Prompt

BACKGROUND = ""
"""The owner of a click that is on no object."""


class Status(Enum):
    """Where an object is on its way onto the page."""

    PENDING = "a suggestion"
    PRESUMED = "gone from the page: accepted, as long as no saved page says otherwise"
    ACCEPTED = "seen accepted in a saved page"


@dataclass(frozen=True)
class Mark:
    """A keypoint or rectangle of the page.

    Attributes:
        prompt: as last seen, its polarity decided.
        born: its place in the order of all marks of the page.
        version: the newest saved page known when it was last seen; only newer ones can tell more.
        owner: the object it is evidence for, ``BACKGROUND``, or None before that is decided.
        on: whether it is a positive click of its owner.
        gone: no longer on the page. Kept, since an accept may be undone or an object reopened.
        spent: used up by an accept, whether or not it is still on the page.
        smart: made by a smart tool, so that accepting and rejecting everything deletes it.
        said: it came in a call of this page, so that what holds it is this page's.
    """

    prompt: Prompt
    born: int
    version: str
    owner: str | None = None
    on: bool = True
    gone: bool = False
    spent: bool = False
    smart: bool = True
    said: bool = False

    @property
    def live(self) -> bool:
        """Whether it asks for a mask now."""
        return not self.gone and not self.spent


@dataclass(frozen=True)
class Instance:
    """One object.

    Attributes:
        opened: when it was begun or last reopened, in marks of the page.
        version: the newest saved page known when its status last changed.
        shown: the mask last answered.
        answers: names of the masks answered, each with the clock of its call: an accepted region
            is recognized by its name, and so are the marks it was made from.
        base: the accepted region that is being changed.
        since: marks from here on were made to change ``base``.
        keeps: its accepted mask does not come from our clicks alone (painted, corrected, or from
            before a restart): it is corrected where clicked, not made anew.
        scribble: the stroke it was asked for with.
    """

    id: str
    label: str
    image: ImageKey
    opened: int
    status: Status = Status.PENDING
    version: str = ""
    shown: BitMask | None = None
    answers: tuple[tuple[str, int], ...] = ()
    base: Painted | None = None
    since: int = 0
    keeps: bool = False
    scribble: Painted | None = None

    def answered_at(self, painted: Painted) -> int | None:
        """The clock of the call whose answer ``painted`` is, None if it is none of ours."""
        clocks = [clock for name, clock in self.answers if name == painted.digest]
        return clocks[-1] if clocks else None


@dataclass(frozen=True)
class Page:
    """All that is remembered of a page.

    ``source`` and ``version`` name the saved page last read, ``clock`` counts marks. While
    ``doubt`` is a version, no newer saved page has told whether objects begun before
    ``doubted_from`` were accepted or rejected together with those that vanished.
    """

    task: str
    user: str | None = None
    source: str | None = None
    version: str = ""
    clock: int = 0
    doubt: str | None = None
    doubted_from: int = 0
    marks: Mapping[str, Mark] = field(default_factory=dict)
    instances: Mapping[str, Instance] = field(default_factory=dict)

    def owned(self, instance: str) -> Iterator[Mark]:
        """The marks of an object, oldest first."""
        marks = (mark for mark in self.marks.values() if mark.owner == instance)
        return iter(sorted(marks, key=lambda mark: mark.born))

    @property
    def said(self) -> set[str]:
        """The ids of marks that came in calls of this page, and of the objects they are for."""
        marks = [mark for mark in self.marks.values() if mark.said]
        return {m.prompt.id for m in marks} | {m.owner for m in marks if m.owner}

    @property
    def nbytes(self) -> int:
        """Roughly the memory it takes."""
        shown = sum(i.shown.nbytes for i in self.instances.values() if i.shown)
        bases = sum(len(i.base.rle) for i in self.instances.values() if i.base)
        return shown + bases + 1000 * (1 + len(self.marks) + len(self.instances))


def region_id(task: str, mark: str) -> str:
    """The region id of the object begun with a mark: the same after a restart."""
    return "dm" + blake2b(f"{task}\0{mark}".encode(), digest_size=6).hexdigest()
