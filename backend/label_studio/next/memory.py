"""Remembers the objects drawn in the next editor, whose calls name neither user nor page."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count

from backend.label_studio.next.drawn_object import DrawnObject, Moment, NextCall
from backend.label_studio.next.others import Other, accepted_as, others_of
from backend.session.bitmask import BitMask

_ANSWERS = 64  # of an object: so many lists of points may be undone and redone

_OBJECTS = 100  # of a task: each is compared with the saved masks of every call

Objects = dict[int, DrawnObject]
"""The objects of a task by number, oldest first."""


@dataclass(frozen=True)
class Ticket:
    """A call that was taken in, and the number of its object.

    ``known`` is what was answered before to the same prompts of this object.
    """

    call: NextCall
    number: int
    serial: int
    known: BitMask | None
    others: tuple[Other, ...]


class Memory:
    """The objects of all tasks, bounded. Thread-safe; lost with the process, which costs little."""

    def __init__(
        self, *, max_bytes: int = 128_000_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``max_bytes``: of all masks. The tasks unused for longest lose theirs first."""
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._serials = count()
        self._tasks: OrderedDict[str, Objects] = OrderedDict()
        self._bytes = 0

    def begin(self, call: NextCall) -> Ticket:
        """Take in a call: find its object, or begin one, and what else is on its page."""
        now = self._clock()
        with self._lock:
            serial = next(self._serials)
            objects = self._tasks.setdefault(call.task, {})
            self._tasks.move_to_end(call.task)
            possible = {n: drawn for n, drawn in objects.items() if drawn.may_be_of(call)}
            number = _number_of(call, possible)
            if number is None:
                began = Moment(serial, call.version, now)
                for other, drawn in possible.items():
                    objects[other] = possible[other] = drawn.followed(call.user, began)
                number, mine = serial, DrawnObject(call.user, began, serial)
            else:
                mine = possible.pop(number)
            mine = mine.called(call, serial)
            self._keep(call.task, number, mine)
        others = others_of(mine, possible.values(), call, now)
        return Ticket(call, number, serial, mine.answers.get(call.key), others)

    def remember(self, ticket: Ticket, mask: BitMask) -> None:
        """Keep what was answered to a call."""
        call = ticket.call
        with self._lock:
            mine = self._tasks.get(call.task, {}).get(ticket.number)
            if mine is None:
                return
            answers = {**mine.answers, call.key: mask}
            for oldest in list(answers)[:-_ANSWERS]:
                del answers[oldest]
            mine = replace(mine, answers=answers)
            if ticket.serial > mine.shown_at:
                mine = replace(mine, shown=mask, shown_at=ticket.serial, shown_prompts=call.prompts)
            self._keep(call.task, ticket.number, mine)

    def _keep(self, task: str, number: int, drawn: DrawnObject) -> None:
        """Store an object; over the limit drop the oldest ones of the tasks unused for longest."""
        objects = self._tasks[task]
        before = objects.get(number)
        self._bytes += drawn.nbytes - (before.nbytes if before else 0)
        objects[number] = drawn
        while len(objects) > _OBJECTS:
            self._bytes -= objects.pop(next(iter(objects))).nbytes
        while self._bytes > self._max_bytes:
            oldest = next(iter(self._tasks))
            victims = self._tasks[oldest]
            victim = next((n for n in victims if (oldest, n) != (task, number)), None)
            if victim is None:
                break
            self._bytes -= victims.pop(victim).nbytes
            if not victims:
                del self._tasks[oldest]


def _number_of(call: NextCall, possible: Mapping[int, DrawnObject]) -> int | None:
    """Return the object that shares a prompt with the call; None if it begins one.

    One that has been accepted is never changed again: the next list of points, even of the same
    ones, is another object.
    """
    sharing = [n for n, drawn in possible.items() if drawn.places & set(call.key)]
    latest = max(sharing, key=lambda n: possible[n].last, default=None)
    if latest is None or (call.is_binding and accepted_as(possible[latest], call.saved)):
        return None
    return latest
