"""What else is on the page while an object is drawn: accepted masks, and those in doubt.

After an accept or a reject the page begins another object, and no call says which it was. An
accepted mask is in a draft about five seconds later. Until a draft decides, the last answer counts
as accepted, unless the person points into it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from backend.label_studio.next.drawn_object import DrawnObject, NextCall
from backend.label_studio.next.overlap import are_one
from backend.session.bitmask import BitMask
from backend.session.prompts import Position, Prompt

AUTOSAVE_SECONDS = 15.0
"""A mask that no draft holds so long after the page went on was rejected: a page saves an accepted
one within about five seconds."""


@dataclass(frozen=True)
class Other:
    """Another object: its mask, and its clicks if they are known.

    ``is_certain``: it is on the page. Another one gives way to an object that is pointed at in it.
    """

    mask: BitMask
    clicks: tuple[Position, ...] = ()
    is_certain: bool = True


def others_of(
    mine: DrawnObject, known: Iterable[DrawnObject], call: NextCall, now: float
) -> tuple[Other, ...]:
    """Return the other objects that count for a call.

    Args:
        mine: the object of the call.
        known: the objects of its task that the caller may have drawn.
        call: the call.
        now: the clock that ``Moment.time`` is of, in seconds.
    """
    aimed = positive_clicks(call.prompts)
    return tuple(
        other
        for other in _all(mine, known, call, now)
        if other.is_certain or not any(other.mask.contains(x, y) for x, y in aimed)
    )


def positive_clicks(prompts: Iterable[Prompt]) -> tuple[Position, ...]:
    """Return the clicks that stand for the positive prompts."""
    return tuple(click for prompt in prompts if prompt.positive for click in prompt.clicks())


def accepted_as(drawn: DrawnObject, saved: Iterable[BitMask]) -> BitMask | None:
    """Return the saved mask that an object was accepted as, if any."""
    if drawn.shown is None:
        return None
    return next((mask for mask in saved if are_one(drawn.shown, mask)), None)


def _all(
    mine: DrawnObject, known: Iterable[DrawnObject], call: NextCall, now: float
) -> Iterator[Other]:
    unknown = list(call.saved)
    for drawn in known:
        if drawn.shown is None:
            continue
        accepted = accepted_as(drawn, unknown)
        if accepted is not None:
            unknown.remove(accepted)
            yield Other(accepted, positive_clicks(drawn.shown_prompts), call.is_binding)
        elif _is_in_doubt(drawn, mine, call, now):
            yield Other(drawn.shown, positive_clicks(drawn.shown_prompts), is_certain=False)
    for mask in unknown:
        yield Other(mask, is_certain=call.is_binding)


def _is_in_doubt(drawn: DrawnObject, mine: DrawnObject, call: NextCall, now: float) -> bool:
    """Whether an object that is in no draft may have been accepted a moment ago.

    One that was called for after ``mine`` began is drawn on another page: a page never goes back.
    Of a page whose user is not known yet, only the beginning of ``mine`` is certain.
    """
    if drawn.last > mine.began.serial:
        return False
    left = drawn.left.get(call.user or "", mine.began)
    is_decided = call.version > left.version or now - left.time > AUTOSAVE_SECONDS
    return not is_decided
