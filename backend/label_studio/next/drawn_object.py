"""One object that a person has pointed at in the next editor, as far as its calls tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from backend.session.bitmask import BitMask
from backend.session.prompts import Prompt

Key = tuple[tuple[bool, tuple[float, ...]], ...]
"""A list of points, or a box: the page repeats its numbers exactly."""


def key_of(prompts: Sequence[Prompt]) -> Key:
    """Return what names a list of prompts."""
    return tuple((bool(prompt.positive), prompt.place) for prompt in prompts)


@dataclass(frozen=True)
class NextCall:
    """One call for a mask.

    Attributes:
        task: names the task among those of all projects.
        prompts: the points or the box of one object.
        user: whose drafts the call brought; None without any.
        version: when the newest of them was saved, comparable as text; empty without any.
        saved: the masks on the page as last saved.
        is_binding: whether ``saved`` is certainly the caller's page.
        annotators: whose annotations the task has.
    """

    task: str
    prompts: tuple[Prompt, ...]
    user: str | None = None
    version: str = ""
    saved: tuple[BitMask, ...] = ()
    is_binding: bool = True
    annotators: frozenset[str] = frozenset()

    @property
    def key(self) -> Key:
        """What names its list of prompts."""
        return key_of(self.prompts)


@dataclass(frozen=True)
class Moment:
    """When a page began an object.

    ``serial`` numbers the call, ``version`` is that of the draft known then, and ``time`` the clock
    in seconds.
    """

    serial: int
    version: str
    time: float


@dataclass(frozen=True)
class DrawnObject:
    """What is remembered of one object.

    Attributes:
        user: who draws it; None while no draft has told.
        began: its first call.
        last: the serial number of its latest call.
        places: the prompts that it had in any of its calls.
        left: when a page of each user began the next object. Nothing tells whether this one was
            accepted or rejected then, until a draft does.
        shown: the mask that the page shows, or showed last.
        shown_at: the serial number of its call.
        shown_prompts: the prompts of that call.
        answers: the masks answered, by list of prompts.
    """

    user: str | None
    began: Moment
    last: int
    places: frozenset[tuple[bool, tuple[float, ...]]] = frozenset()
    left: Mapping[str, Moment] = field(default_factory=dict)
    shown: BitMask | None = None
    shown_at: int = -1
    shown_prompts: tuple[Prompt, ...] = ()
    answers: Mapping[Key, BitMask] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of memory, about."""
        return 1000 + 200 * len(self.places) + sum(mask.nbytes for mask in self.answers.values())

    def called(self, call: NextCall, serial: int) -> "DrawnObject":
        """Return it after another call."""
        places = self.places | set(call.key)
        user = call.user or self.user
        return replace(self, user=user, last=serial, places=places, left={})

    def followed(self, user: str | None, by: Moment) -> "DrawnObject":
        """Return it after a page of ``user``, if known, began another object; the first counts."""
        return self if user is None else replace(self, left={user: by} | dict(self.left))

    def may_be_of(self, call: NextCall) -> bool:
        """Whether the caller may have drawn it.

        A call without a draft may come from its user only if that user has submitted meanwhile.
        """
        if self.user is None or self.user == call.user:
            return True
        return call.user is None and self.user in call.annotators
