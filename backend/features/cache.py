"""Returns features from the nearest tier that has them, or computes them once."""

import contextlib
import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from backend.features.disk import DiskTier
from backend.features.key import Features, Key
from backend.features.memory import MemoryTier
from backend.features.single_flight import SingleFlight

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Features)

MAX_UNWRITTEN = 4
"""Limit on values queued for the disk. They are held in memory beyond its budget.

When the queue is full, new values are not written: a click must not wait for a disk, nor for
another call that computes on its behalf and waits itself.
"""


@dataclass(frozen=True, slots=True)
class Tier:
    """The state of a tier for the status page; ``used`` and ``budget`` are in bytes."""

    name: str
    entries: int
    used: int
    budget: int
    hits: int
    evicted: int = 0
    """How many entries had to make room for newer ones; those of the device moved to memory."""
    is_off: bool = False
    """True after a failed write or a late read: nothing is kept or found for a while."""


class FeatureCache(Generic[F]):
    """Keeps features in three tiers, each within its budget of bytes. Thread-safe.

    Values evicted from the device move to memory. New values are written to disk by a background
    thread, unless the disk falls behind. With ``device`` "cpu" there is no device tier.

    Args:
        load: reads what a value's ``to_bytes`` returned.
        folder: folder of the disk tier, which other processes may share.
        may_make_folder: whether to make it if it is missing.
        memory_bytes, disk_bytes, device_bytes: budgets of the tiers, in bytes.
        device: the torch device that features are returned on.
        cancellations: errors of ``compute`` that concern only the caller that passed it.
    """

    def __init__(
        self,
        load: Callable[[bytes], F],
        *,
        folder: Path,
        memory_bytes: int,
        disk_bytes: int,
        device: str = "cpu",
        device_bytes: int = 0,
        may_make_folder: bool = True,
        cancellations: tuple[type[Exception], ...] = (),
    ) -> None:
        self._device_name = device
        self._device: MemoryTier[F] = MemoryTier(0 if device == "cpu" else device_bytes)
        self._memory: MemoryTier[F] = MemoryTier(memory_bytes)
        self._disk = DiskTier(folder, disk_bytes, load, may_make=may_make_folder)
        self._single_flight: SingleFlight[Key, F] = SingleFlight(cancellations)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._unwritten: queue.Queue[tuple[Key, F] | None] = queue.Queue(MAX_UNWRITTEN)
        self._writer = threading.Thread(target=self._write, name="feature-writer", daemon=True)
        self._writer.start()

    def get(self, digest: str, model_version: str, compute: Callable[[], F]) -> F:
        """Return the features of an image, on the device; call ``compute`` if no tier has them.

        Args:
            digest: names the image's content.
            model_version: names the weights that compute the features.
            compute: encodes the image.

        Raises:
            Exception: only what ``compute`` raises.
        """
        key = Key(digest, model_version)
        value = self._from_memory(key)
        if value is None:
            value = self._single_flight.get(key, lambda: self._from_disk_or_compute(key, compute))
        return value

    def has(self, digest: str, model_version: str) -> bool:
        """Whether ``get`` would return at once, from the device or from memory."""
        key = Key(digest, model_version)
        return key in self._device or key in self._memory

    @property
    def misses(self) -> int:
        """How many images had to be encoded."""
        return self._counts["miss"]

    def tiers(self) -> list[Tier]:
        """Return the state of each tier, nearest first."""
        tiers: dict[str, MemoryTier[F] | DiskTier[F]] = {
            "device": self._device,
            "memory": self._memory,
            "disk": self._disk,
        }
        if self._device_name == "cpu":
            del tiers["device"]
        return [
            Tier(
                name,
                entries=len(tier),
                used=tier.used,
                budget=tier.budget,
                hits=self._counts[name],
                evicted=tier.evicted,
                is_off=tier.is_off,
            )
            for name, tier in tiers.items()
        ]

    def flush(self) -> None:
        """Wait until the queued values are on disk. Only tests need this."""
        self._unwritten.join()

    def close(self) -> None:
        """Write the queued values and end the writer thread. Nothing is written afterwards."""
        self._unwritten.put(None)
        self._writer.join()
        self._disk.close()

    def _from_memory(self, key: Key) -> F | None:
        """Return the value from the device, or from memory, which moves it to the device."""
        value = self._device.get(key)
        if value is not None:
            self._count("device")
            return value
        value = self._memory.get(key)
        if value is None:
            return None
        self._count("memory")
        fits = value.nbytes <= self._device.budget
        value = value.to(self._device_name)
        if fits:
            self._memory.remove(key)
            self._keep(key, value)
        return value

    def _from_disk_or_compute(self, key: Key, compute: Callable[[], F]) -> F:
        """Return the value from any tier or compute it. Called by one thread per key at a time."""
        value = self._from_memory(key)  # another thread may have finished it just now
        if value is not None:
            return value
        value = self._disk.get(key)
        if value is not None:
            self._count("disk")
            value = value.to(self._device_name)
            self._keep(key, value)
            return value
        self._count("miss")
        value = compute()
        self._keep(key, value)
        with contextlib.suppress(queue.Full):
            self._unwritten.put_nowait((key, value))
        return value

    def _keep(self, key: Key, value: F) -> None:
        """Keep a value in the nearest tier that can hold it; move evicted values to memory."""
        for evicted, old in self._device.put(key, value):
            try:
                self._memory.put(evicted, old.to("cpu"))
            except (RuntimeError, MemoryError) as error:  # the machine's memory is full
                log.warning("dropped features evicted from the device: %s", error)

    def _write(self) -> None:
        self._disk.open()
        while (item := self._unwritten.get()) is not None:
            key, value = item
            self._disk.put(key, value)
            del item, value  # an idle thread must not keep the last value alive
            self._unwritten.task_done()
        self._unwritten.task_done()

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1
