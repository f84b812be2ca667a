"""The last troubles, kept in memory for the status page."""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

KEPT = 20


@dataclass(frozen=True)
class Entry:
    """One trouble: when, its code, what was said, how often in a row."""

    time: datetime
    code: str
    message: str
    request_id: str
    count: int = 1


class Journal:
    """A short memory of errors and of what is wrong with each project's labelling config."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._errors: deque[Entry] = deque(maxlen=KEPT)
        self._configs: dict[str, tuple[str, ...]] = {}
        self._counts: Counter[str] = Counter()

    def error(self, code: str, message: str, request_id: str = "") -> None:
        """Note an error; the same one again only raises its count."""
        now = datetime.now(UTC)
        with self._lock:
            self._counts[code] += 1
            count = 1
            if self._errors and self._errors[-1].code == code:
                last = self._errors[-1]
                if last.message == message:
                    count = self._errors.pop().count + 1
            self._errors.append(Entry(now, code, message, request_id, count))

    def config(self, project: str, problems: Sequence[str]) -> bool:
        """Note what is wrong with a project's config; says whether that is news."""
        with self._lock:
            news = self._configs.get(project) != tuple(problems)
            self._configs[project] = tuple(problems)
            while len(self._configs) > KEPT:
                del self._configs[next(iter(self._configs))]
        return news

    @property
    def errors(self) -> list[Entry]:
        """The last errors, newest first."""
        with self._lock:
            return list(reversed(self._errors))

    @property
    def counts(self) -> dict[str, int]:
        """How often each code was noted since the start."""
        with self._lock:
            return dict(self._counts)

    @property
    def configs(self) -> dict[str, tuple[str, ...]]:
        """What is wrong with each project's config, by project."""
        with self._lock:
            return dict(self._configs)
