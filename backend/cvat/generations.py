"""The three forms in which CVAT has taken an interactor's masks, by its version.

Each breaks another version: a crop is misplaced by later pages, ``shapes`` is not known to earlier
ones, and a whole mask is right everywhere but 24 MB for 12 megapixels.
"""

import re
from enum import StrEnum


class Generation(StrEnum):
    """What an answer looks like."""

    CROP = "crop"
    """A crop of the mask with its bounds and outline: before 2.59."""
    FULL = "full"
    """The whole mask, without bounds: 2.59 to 2.69, and where the version is unknown."""
    SHAPES = "shapes"
    """Runs, one entry for each object: from 2.70 on."""


_AGENT = re.compile(r"CVAT/(\d{1,4})\.(\d{1,4})")

FULL_FROM, SHAPES_FROM = (2, 59), (2, 70)


def version_of(agent: str) -> tuple[int, int] | None:
    """Return CVAT's version as it names itself in ``User-Agent``; None if it does not."""
    found = _AGENT.match(agent)
    return (int(found[1]), int(found[2])) if found else None


def generation_of(agent: str, forced: str = "auto") -> Generation:
    """Return the form of answer for a ``User-Agent``, unless one is ``forced``."""
    if forced != "auto":
        return Generation(forced)
    version = version_of(agent)
    if version is None:
        return Generation.FULL
    if version >= SHAPES_FROM:
        return Generation.SHAPES
    return Generation.FULL if version >= FULL_FROM else Generation.CROP
