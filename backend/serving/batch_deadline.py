"""How long a batch may take, and which hosts it no longer waits for.

Label Studio sends all selected tasks in one request, and drops all their answers if the response is
late (docs/label-studio-protocol.md, 10).
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from backend.errors import ImageTimeoutError

BATCH_SECONDS = 95.0
"""When a batch must be answered. Label Studio waits for 100 s (its ``ML_TIMEOUT_PREDICT``)."""

MIN_START_SECONDS = 20.0
"""How long a batch starts new images at least, however long a single image may take to arrive."""

MAX_LATE = 2
"""Late images in a row after which their host is skipped. One late image may just be large; but the
tasks of a host that never answers must not use up the time of all the others."""


class BatchDeadline:
    """The deadline of one batch, counted from its creation."""

    def __init__(self, image_seconds: float) -> None:
        """``image_seconds``: how long a single image may take to arrive."""
        self.left = 0
        """How many tasks there was no time for."""
        self.seconds = max(MIN_START_SECONDS, BATCH_SECONDS - image_seconds)
        """How long new images are started."""
        self._end = monotonic() + self.seconds
        self._late: Counter[str] = Counter()

    def is_over(self) -> bool:
        """Whether no further image may be started."""
        return monotonic() >= self._end

    @contextmanager
    def asking(self, address: str) -> Iterator[None]:
        """Wrap the fetch of an image, to count late images of its host.

        Raises:
            ImageTimeoutError: the host was late too often.
        """
        site = _site(address)
        if self._late[site] >= MAX_LATE:
            raise ImageTimeoutError(
                f"{site} did not send {MAX_LATE} images of this batch in time: its other images "
                "are skipped"
            )
        try:
            yield
        except ImageTimeoutError:
            self._late[site] += 1
            raise
        self._late[site] = 0


def _site(address: str) -> str:
    """Return scheme and host of an image's URL; paths belong to Label Studio."""
    scheme, separator, rest = address.partition("://")
    return f"{scheme}://{re.split('[/?#]', rest)[0]}" if separator else "Label Studio"
