"""What is remembered of one annotator's view of one task."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b

from backend.session.bitmask import BitMask
from backend.session.paint import Paint
from backend.session.prompts import Prompt
from backend.session.regions import ImageKey

BACKGROUND = ""
"""The owner of a prompt that is on no object."""

LIKE = "like"
"""The owner of a prompt that asks for all objects like the one it lies on."""


class Status(Enum):
    """How far an object has come."""

    PENDING = "a suggestion"
    PRESUMED = "its prompts are gone: taken as accepted until the page says otherwise"
    ACCEPTED = "seen accepted in a saved page"
    GONE = "its region was deleted; its clicks that are left on the page wait for one on its mask"


@dataclass(frozen=True)
class PagePrompt:
    """A keypoint or box of the page.

    Attributes:
        drawn: the prompt as last seen, its polarity decided.
        born: its position in the order of all prompts of the page.
        version: the newest saved page known when it was last seen. Only a newer one can tell more.
        owner: the object it belongs to, ``BACKGROUND``, or None before that is decided.
        is_positive: whether it means its owner, not the surroundings.
        removed: no longer on the page. Kept, because an accept may be undone or an object reopened.
        used: used up by an accept, whether or not it is still on the page.
        is_smart: drawn by a smart tool, so accepting or rejecting everything deletes it.
        sent: it came in a call of this page, so a saved page that holds it is this page's.
        presumed: the clock when it was taken for gone, if no call or saved page has shown it since
            (``presume``).
    """

    drawn: Prompt
    born: int
    version: str
    owner: str | None = None
    is_positive: bool = True
    removed: bool = False
    used: bool = False
    is_smart: bool = True
    sent: bool = False
    presumed: int | None = None

    @property
    def is_live(self) -> bool:
        """Whether it asks for a mask now."""
        return not self.removed and not self.used


@dataclass(frozen=True)
class PageObject:
    """One object of the page.

    Attributes:
        opened: when it was begun or last reopened, on the page's clock.
        version: the newest saved page known when its status last changed.
        shown: the mask last answered.
        answers: the digests of the masks answered, each with the clock of its call. An accepted
            region is recognized by its digest, and so are the prompts that made it.
        base: the accepted region being changed.
        since: prompts from this clock on were drawn to change ``base``.
        keeps: its accepted mask does not come from our clicks alone (painted, corrected by hand, or
            from before a restart). It is then corrected where clicked, not computed again.
        scribble: the stroke that asked for it.
        seed: of a proposal, a position inside it, as fractions of the image.
        asked_by: the prompt that asked for that proposal.
    """

    id: str
    label: str
    image: ImageKey
    opened: int
    status: Status = Status.PENDING
    version: str = ""
    shown: BitMask | None = None
    answers: tuple[tuple[str, int], ...] = ()
    base: Paint | None = None
    since: int = 0
    keeps: bool = False
    scribble: Paint | None = None
    seed: tuple[float, float] | None = None
    asked_by: str = ""

    def answered_at(self, mask: BitMask) -> int | None:
        """Return the clock of the call that answered with ``mask``; None if no call did."""
        clocks = [clock for digest, clock in self.answers if digest == mask.digest]
        return clocks[-1] if clocks else None


@dataclass(frozen=True)
class AnnotatorPage:
    """Everything remembered of a page.

    ``source`` and ``version`` name the saved page last read; ``clock`` counts prompts.
    """

    task: str
    user: str | None = None
    source: str | None = None
    version: str = ""
    clock: int = 0
    prompts: Mapping[str, PagePrompt] = field(default_factory=dict)
    objects: Mapping[str, PageObject] = field(default_factory=dict)

    def owned(self, object_id: str) -> Iterator[PagePrompt]:
        """Return the prompts of an object, oldest first."""
        prompts = (prompt for prompt in self.prompts.values() if prompt.owner == object_id)
        return iter(sorted(prompts, key=lambda prompt: prompt.born))

    @property
    def sent(self) -> set[str]:
        """The ids of prompts that came in calls of this page, and of the objects that own them."""
        prompts = [prompt for prompt in self.prompts.values() if prompt.sent]
        return {p.drawn.id for p in prompts} | {p.owner for p in prompts if p.owner}

    @property
    def nbytes(self) -> int:
        """Roughly the memory it takes, in bytes."""
        shown = sum(o.shown.nbytes for o in self.objects.values() if o.shown)
        bases = sum(o.base.nbytes for o in self.objects.values() if o.base)
        return shown + bases + 1000 * (1 + len(self.prompts) + len(self.objects))


def region_id(task: str, prompt: str) -> str:
    """Return the region id of the object that a prompt begins: the same after a restart."""
    return "dm" + blake2b(f"{task}\0{prompt}".encode(), digest_size=6).hexdigest()
