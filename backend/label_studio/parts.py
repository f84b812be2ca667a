"""Ids of the regions of one object, where a region holds one connected part only.

The first part has the id of the object. Others add a number to it, so that what is read back is one
object again. A part keeps its id while corrections move it.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from backend.session.call import Entry
from backend.session.paint import Paint
from backend.session.stored_masks import Polygons
from dynamite import polygons
from dynamite.polygons import Ring

REMEMBERED = 10_000
"""Objects whose parts are remembered; those answered longest ago go first."""

_OF_PART = re.compile(r"(.+)~\d+", re.DOTALL)
_SIDE = 128  # pixels of the frame in which parts are compared


def joined(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries of a page with the parts of each object as one mask, under its id.

    A part that was given another label stays by itself.
    """
    found: dict[str, Entry] = {}
    for entry in entries:
        if not isinstance(entry, Paint) or not isinstance(entry.stored, Polygons):
            found[entry.id] = entry
            continue
        of_part = _OF_PART.fullmatch(entry.id)
        name = of_part[1] if of_part else entry.id
        first = found.get(name)
        if first is None:
            found[name] = replace(entry, id=name, parts=(entry.id,))
        elif isinstance(first, Paint) and isinstance(first.stored, Polygons) and _fit(first, entry):
            whole = Polygons((*first.stored.rings, *entry.stored.rings))
            found[name] = replace(first, stored=whole, parts=(*first.parts, entry.id))
        else:
            found[entry.id] = entry
    return list(found.values())


class Parts:
    """The parts of the objects answered last: which id lies where. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Mapping[str, Ring]] = OrderedDict()

    def known(self, object_id: str) -> Mapping[str, Ring]:
        """The parts of an object as answered last, in fractions of the image, by their ids."""
        with self._lock:
            return self._known.get(object_id, {})

    def name(
        self, object_id: str, rings: Sequence[Ring], accepted: Mapping[str, Ring]
    ) -> tuple[list[str], list[str]]:
        """Name the parts of an object.

        Args:
            object_id: its id.
            rings: its parts, in fractions of the image, the largest first.
            accepted: its parts that are on the page as regions, by their ids.

        Returns:
            The id of each part, and the ids of accepted parts that are no part of it any more.
        """
        with self._lock:
            before = {**accepted, **self._known.pop(object_id, {})}
        names = _matched(rings, before)
        taken = {name for name in names if name} | before.keys()
        fresh = _fresh(object_id, taken)
        complete = [name or next(fresh) for name in names]
        with self._lock:
            self._known[object_id] = dict(zip(complete, rings, strict=True))
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return complete, [name for name in accepted if name not in complete]


def inside(ring: Ring, shape: tuple[int, int]) -> Ring:
    """Return a triangle within one pixel that a ring covers, to stand for a part that is gone.

    No answer can delete a region. ``ring`` and the triangle are in pixels of a ``shape`` image.
    """
    rows, columns = np.nonzero(polygons.fill([ring], shape))
    middle = len(rows) // 2
    around = np.array([[0.25, 0.25], [0.75, 0.25], [0.5, 0.75]])
    dot: Ring = around + np.array([columns[middle], rows[middle]])
    return dot


def _fit(first: Paint, other: Paint) -> bool:
    return (first.label, first.image, first.height, first.width) == (
        other.label,
        other.image,
        other.height,
        other.width,
    )


def _matched(rings: Sequence[Ring], before: Mapping[str, Ring]) -> list[str]:
    """Return the id of the earlier part that each ring covers most of; empty if it covers none."""
    names = [""] * len(rings)
    if len(rings) == len(before) == 1:
        return list(before)
    drawn = [_drawn(ring) for ring in rings]
    shared = sorted(
        (
            (int(np.count_nonzero(now & _drawn(ring))), -index, name)
            for name, ring in before.items()
            for index, now in enumerate(drawn)
        ),
        reverse=True,
    )
    for pixels, index, name in shared:
        if pixels and not names[-index] and name not in names:
            names[-index] = name
    return names


def _drawn(ring: Ring) -> polygons.Mask:
    return polygons.fill([ring * _SIDE], (_SIDE, _SIDE))


def _fresh(object_id: str, taken: set[str]) -> Iterator[str]:
    """Yield ids for parts that no part has: the object's own first."""
    if object_id not in taken:
        yield object_id
    for number in count(2):
        if (name := f"{object_id}~{number}") not in taken:
            yield name
