"""Fake features with the interface of the real ones."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

import pytest

from backend.features.cache import FeatureCache


@dataclass(frozen=True)
class Fake:
    """``nbytes`` bytes with a name and a device."""

    name: str
    nbytes: int = 1000
    device: str = "cpu"

    def to(self, device: str) -> Self:
        return self if device == self.device else replace(self, device=device)

    def to_bytes(self, *, half: bool) -> bytes:
        return self.name.encode().ljust(self.nbytes, b".")

    @classmethod
    def from_bytes(cls, data: bytes) -> "Fake":
        return cls(data.rstrip(b".").decode(), len(data))


class Encoder:
    """Counts how often each name was encoded."""

    def __init__(self, nbytes: int = 1000) -> None:
        self.done: list[str] = []
        self._nbytes = nbytes
        self._lock = threading.Lock()

    def __call__(self, name: str, device: str = "cpu") -> Fake:
        with self._lock:
            self.done.append(name)
        return Fake(name, self._nbytes, device)


class Open(Protocol):
    def __call__(self, **how: Any) -> FeatureCache[Fake]: ...


@pytest.fixture
def open_cache(tmp_path: Path) -> Iterator[Open]:
    """Open caches on one folder; all are closed at the end of the test."""
    opened: list[FeatureCache[Fake]] = []

    def open_it(**how: Any) -> FeatureCache[Fake]:
        how = {"folder": tmp_path / "features", "memory_bytes": 10_000, "disk_bytes": 10**6} | how
        cache = FeatureCache(Fake.from_bytes, **how)
        opened.append(cache)
        return cache

    yield open_it
    for cache in opened:
        cache.close()
