"""How long a batch may take, and which hosts have kept it waiting.

Label Studio asks for all chosen tasks in one request, and drops every answer of a late one.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from backend.images.errors import ImageTimeoutError

ENDS = 95.0
"""When a batch is to be answered. Label Studio waits for 100 s (its ``ML_TIMEOUT_PREDICT``)."""

LEAST = 20.0
"""So long images are begun at least, however long each may take to arrive: hosts are faster."""

LATE = 2
"""Images in a row that came too late, after which their host is not asked again: a single one may
only be large. Without it, tasks of a silent host would use up the time of all the others."""


class Patience:
    """That of one batch, counted from its creation; an image may take ``image_seconds`` to come."""

    def __init__(self, image_seconds: float) -> None:
        self.left = 0
        """Tasks there was no time for."""
        self.seconds = max(LEAST, ENDS - image_seconds)
        """After which no further image is begun."""
        self._end = monotonic() + self.seconds
        self._late: Counter[str] = Counter()

    def is_over(self) -> bool:
        """Whether what is left must wait for another batch."""
        return monotonic() >= self._end

    @contextmanager
    def asking(self, address: str) -> Iterator[None]:
        """Fetch an image within the block, unless its host has been silent too often.

        Raises:
            ImageTimeoutError: it has.
        """
        site = _site(address)
        if self._late[site] >= LATE:
            raise ImageTimeoutError(
                f"{site} did not send {LATE} images of a batch in time, so its others are left out"
            )
        try:
            yield
        except ImageTimeoutError:
            self._late[site] += 1
            raise
        self._late[site] = 0


def _site(address: str) -> str:
    """Who is asked for an image, as its task names it."""
    scheme, separator, rest = address.partition("://")
    return f"{scheme}://{re.split('[/?#]', rest)[0]}" if separator else "Label Studio"
