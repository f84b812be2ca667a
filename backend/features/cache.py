"""Features from the nearest tier that has them, else from one encode."""

import contextlib
import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from backend.features.disk import DiskTier
from backend.features.flights import Flights
from backend.features.memory import MemoryTier
from backend.features.values import Features, Key

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Features)

UNWRITTEN = 4
"""Most values waiting to be written; they are held in memory beyond its budget.

What comes while that many wait is not written: a click must not wait for a disk, nor for another
call that computes for it and waits itself.
"""


@dataclass(frozen=True, slots=True)
class Tier:
    """A tier for the status page; ``used`` and ``budget`` in bytes."""

    name: str
    entries: int
    used: int
    budget: int
    hits: int
    is_off: bool = False
    """After a failure, nothing more is kept until the next start."""


class FeatureCache(Generic[F]):
    """Keeps features in three tiers, each within its budget of bytes. For many threads.

    What leaves the device goes to memory; everything new is written to disk behind the caller's
    back, unless the disk falls behind. With ``device`` "cpu" there is no device tier.

    Args:
        load: reads what ``save`` of a value has written.
        folder: where the disk tier is.
        variant: names what beside image and weights shapes the features: input size, dtype.
        cancellations: errors of a ``compute`` that concern its caller alone.
    """

    def __init__(
        self,
        load: Callable[[Path], F],
        *,
        folder: Path,
        memory_bytes: int,
        disk_bytes: int,
        device: str = "cpu",
        device_bytes: int = 0,
        variant: str = "",
        cancellations: tuple[type[Exception], ...] = (),
    ) -> None:
        self._device_name = device
        self._variant = variant
        self._device: MemoryTier[F] = MemoryTier(0 if device == "cpu" else device_bytes)
        self._memory: MemoryTier[F] = MemoryTier(memory_bytes)
        self._disk = DiskTier(folder, disk_bytes, load)
        self._flights: Flights[Key, F] = Flights(cancellations)
        self._counts: Counter[str] = Counter()
        self._drops: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._unwritten: queue.Queue[tuple[Key, F, int] | None] = queue.Queue(UNWRITTEN)
        self._writer = threading.Thread(target=self._write, name="feature-writer", daemon=True)
        self._writer.start()

    def get(self, digest: str, model_version: str, compute: Callable[[], F]) -> F:
        """The features of an image, on the device; those of ``compute`` if no tier has them.

        Raises:
            Exception: only what ``compute`` raises.
        """
        key = Key(digest, model_version, self._variant)
        value = self._nearby(key)
        if value is None:
            value = self._flights.fly(key, lambda: self._fetch(key, compute))
        return value

    def drop_version(self, model_version: str) -> None:
        """Forget all features of a model version, also those that are being computed."""
        with self._lock:
            self._drops[model_version] += 1
        for tier in (self._device, self._memory, self._disk):
            tier.drop_version(model_version)

    @property
    def misses(self) -> int:
        """How often an image had to be encoded."""
        return self._counts["miss"]

    def tiers(self) -> list[Tier]:
        """What each tier holds, the nearest first."""
        tiers: dict[str, MemoryTier[F] | DiskTier[F]] = {
            "device": self._device,
            "memory": self._memory,
            "disk": self._disk,
        }
        if self._device_name == "cpu":
            del tiers["device"]
        return [
            Tier(name, len(tier), tier.used, tier.budget, self._counts[name], tier.is_off)
            for name, tier in tiers.items()
        ]

    def flush(self) -> None:
        """Wait until all that is to be on disk is there."""
        self._unwritten.join()

    def close(self) -> None:
        """Write what is unwritten and end the writing thread; nothing is written after that."""
        self._unwritten.put(None)
        self._writer.join()
        self._disk.is_off = True

    def _nearby(self, key: Key) -> F | None:
        """From the device, or moved there from memory."""
        value = self._device.get(key)
        if value is not None:
            self._count("device")
            return value
        drops = self._drops[key.version]
        value = self._memory.get(key)
        if value is None:
            return None
        self._count("memory")
        fits = value.nbytes <= self._device.budget
        value = value.to(self._device_name)
        if fits:
            self._memory.remove(key)
            self._keep(key, value, drops)
        return value

    def _fetch(self, key: Key, compute: Callable[[], F]) -> F:
        """From wherever it is; only one thread per key gets here at a time."""
        value = self._nearby(key)
        if value is not None:
            return value
        drops = self._drops[key.version]
        value = self._disk.get(key)
        if value is not None:
            self._count("disk")
            value = value.to(self._device_name)
            self._keep(key, value, drops)
            return value
        self._count("miss")
        value = compute()
        self._keep(key, value, drops)
        if not self._disk.is_off:
            with contextlib.suppress(queue.Full):
                self._unwritten.put_nowait((key, value, drops))
        return value

    def _keep(self, key: Key, value: F, drops: int) -> None:
        """In the nearest tier with room; what leaves the device goes to memory.

        ``drops`` was read before the value was: if its version has been dropped since, it is not
        kept.
        """
        for leaving, old in self._device.put(key, value):
            try:
                self._memory.put(leaving, old.to("cpu"))
            except (RuntimeError, MemoryError) as error:  # the machine's memory is full
                log.warning("features leave the device and are not kept in memory: %s", error)
        if not self._is_current(key, drops):
            self._device.remove(key)
            self._memory.remove(key)

    def _is_current(self, key: Key, drops: int) -> bool:
        return self._drops[key.version] == drops

    def _write(self) -> None:
        while (item := self._unwritten.get()) is not None:
            key, value, drops = item
            self._disk.put(key, value, partial(self._is_current, key, drops))
            del item, value  # an idle thread must not keep the last value alive
            self._unwritten.task_done()
        self._unwritten.task_done()

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1
