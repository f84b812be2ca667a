"""Backends that share pages: the path of a call without HTTP, network and queue server."""

from dataclasses import dataclass, field
from typing import Any

from backend.session.page_bytes import KeptPage, from_bytes, to_bytes
from backend.session.store import SessionStore
from tests.backend.session.page_model import Backend, Region


@dataclass
class Shelf:
    """The pages of each task as bytes, with the number of the write."""

    written: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    writes: int = 0


@dataclass
class Tier:
    """One process before the shelf."""

    shelf: Shelf
    seen: dict[str, int] = field(default_factory=dict)

    def recall(self, task: str, *, is_known: bool) -> tuple[KeptPage, ...] | None:
        number, data = self.shelf.written.get(task, (0, b""))
        if number == self.seen.get(task, 0):
            return None
        self.seen[task] = number
        return from_bytes(data)

    def keep(self, task: str, pages: tuple[KeptPage, ...]) -> None:
        self.shelf.writes += 1
        self.seen[task] = self.shelf.writes
        self.shelf.written[task] = self.shelf.writes, to_bytes(pages)


class Team:
    """Several backends; ``to`` says which one answers the next call."""

    def __init__(self, count: int = 3) -> None:
        self.shelf = Shelf()
        self.backends = [self._backend() for _ in range(count)]
        self.to = 0

    def kill(self, number: int) -> None:
        """Kill a backend; it comes back with nothing."""
        self.backends[number] = self._backend()

    def __call__(self, body: dict[str, Any]) -> list[Region]:
        return self.backends[self.to](body)

    def _backend(self) -> Backend:
        return Backend(SessionStore(tier=Tier(self.shelf)))
