"""Which clicks are being answered, for the status page: whose, and what each waits for."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Click:
    """A click that is being answered.

    Attributes:
        task: The task it is on.
        user: Whose it is; None if the tool does not say.
        since: When it arrived, by the monotonic clock.
        awaited: What it waits for, in words.
    """

    task: str
    user: str | None
    since: float
    awaited: str = "its turn"

    @property
    def seconds(self) -> int:
        """How long it has been waiting."""
        return int(time.monotonic() - self.since)


class UnderWay:
    """The clicks that are being answered. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._clicks: dict[int, Click] = {}

    @contextmanager
    def click(self, task: str, user: str | None) -> Iterator[Callable[[str], None]]:
        """List a click during the block; yield a function to say what it waits for from now on."""
        number = next(self._numbers)
        click = Click(task, user, time.monotonic())
        self._put(number, click)
        try:
            yield lambda awaited: self._put(number, replace(click, awaited=awaited))
        finally:
            with self._lock:
                del self._clicks[number]

    def clicks(self) -> list[Click]:
        """Return the clicks, the longest waiting first."""
        with self._lock:
            return list(self._clicks.values())

    def _put(self, number: int, click: Click) -> None:
        with self._lock:
            self._clicks[number] = click
