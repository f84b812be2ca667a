"""The latest errors, kept in memory for the status page."""

import threading
from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, datetime

KEPT = 20


@dataclass(frozen=True)
class Entry:
    """One error: when, its code, its message, and how often in a row."""

    time: datetime
    code: str
    message: str
    request_id: str
    count: int = 1


class ErrorJournal:
    """Keeps the latest errors and counts all of them by code. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._errors: deque[Entry] = deque(maxlen=KEPT)
        self._counts: Counter[str] = Counter()

    def error(self, code: str, message: str, request_id: str = "") -> None:
        """Record an error; a repetition only increases its count."""
        now = datetime.now(UTC)
        with self._lock:
            self._counts[code] += 1
            count = 1
            if self._errors and self._errors[-1].code == code:
                last = self._errors[-1]
                if last.message == message:
                    count = self._errors.pop().count + 1
            self._errors.append(Entry(now, code, message, request_id, count))

    @property
    def errors(self) -> list[Entry]:
        """The latest errors, newest first."""
        with self._lock:
            return list(reversed(self._errors))

    @property
    def counts(self) -> dict[str, int]:
        """How often each code was recorded since the start."""
        with self._lock:
            return dict(self._counts)
