"""The cache tier on disk, which survives restarts; processes on several machines may share it."""

import contextlib
import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from backend.features.key import Features, Key
from backend.features.sealed import seal, unseal
from backend.patience import Patience
from dynamite.files import replacing

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Features)

READ_SECONDS = 0.5
"""How long a click waits for a file; then the image is encoded."""

PAUSE_SECONDS = 30.0
"""How long nothing is read from a disk that was late."""

RETRY_SECONDS = 60.0
"""How long nothing is written after a failed write: the disk may have room again."""

LOOK_SECONDS = 10.0
"""How long the folder may go unseen: others write to it, too."""

ABANDONED_SECONDS = 3600
"""Partial files older than this were left by a process that died."""

_NAME = re.compile(r"[0-9a-f]+-[0-9a-f]+\.features")


@dataclass(frozen=True, slots=True, order=True)
class _File:
    used: float
    size: int
    path: Path


class DiskTier(Generic[F]):
    """An LRU cache with a file per entry in one folder, of at most ``budget`` bytes in total.

    Files are named by what they hold, appear whole, and are checked when they are read: a reader
    may meet any state of the folder. Modification times record the last use. Every writer removes
    the files unused for longest, whoever wrote them, so the smallest budget counts; between two
    looks at the folder the others may exceed it by what they write. A ``budget`` of 0 leaves the
    folder alone.

    One thread may write, any number may read.
    """

    def __init__(
        self,
        folder: Path,
        budget: int,
        load: Callable[[bytes], F],
        *,
        may_make: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Touch nothing yet: the folder may be on a share that hangs.

        Args:
            folder: of the files.
            budget: in bytes.
            load: reads what a value's ``to_bytes`` returned.
            may_make: whether to make the folder; a share may be missing because it is not mounted.
            clock: seconds.
        """
        self.budget = budget
        self.used = 0
        self.evicted = 0
        self._folder = folder
        self._load = load
        self._may_make = may_make
        self._clock = clock
        self._patience = Patience("feature-reader", pause=PAUSE_SECONDS, clock=clock)
        self._entries = 0
        self._seen = float("-inf")
        self._off_until = float("-inf")
        self._has_failed = False

    def __len__(self) -> int:
        return self._entries

    @property
    def is_off(self) -> bool:
        """Whether it pauses: a write has failed, or a read was late."""
        return self._clock() < self._off_until or self._patience.is_pausing

    def get(self, key: Key) -> F | None:
        """Read the value from its file; None if there is no readable file, or not in time."""
        if not self.budget:
            return None
        was_late = self._patience.is_pausing
        value = self._patience.ask(lambda: self._read(self._path(key)), READ_SECONDS)
        if self._patience.is_pausing and not was_late:
            log.warning(
                "%s takes longer than %.1f s: features are encoded instead for %.0f s",
                self._folder,
                READ_SECONDS,
                PAUSE_SECONDS,
            )
        return value

    def put(self, key: Key, value: F) -> None:
        """Write a value, unless it is there already or larger than the budget."""
        if not self.budget or self._clock() < self._off_until:
            return
        try:
            path = self._path(key)
            with contextlib.suppress(FileNotFoundError):
                os.utime(path)
                return  # another process has written the same
            sealed = seal(value.to_bytes(half=True))
            if len(sealed) > self.budget:
                return
            self.look(len(sealed))
            with replacing(path) as part:
                part.write_bytes(sealed)
            self.used += len(sealed)
            self._entries += 1
            self._has_failed = False
        except Exception as error:  # the disk is full, unmounted or read-only
            self._fail(error)

    def look(self, needed: int = 0) -> None:
        """See what is in the folder, if that is due, and make room for ``needed`` bytes.

        Raises:
            OSError: it cannot be read or made.
        """
        now = self._clock()
        if now - self._seen < LOOK_SECONDS and self.used + needed <= self.budget:
            return
        if self._may_make:
            self._folder.mkdir(parents=True, exist_ok=True)
        files = sorted(self._scan())
        self.used, self._entries = sum(file.size for file in files), len(files)
        for file in files:
            if self.used + needed <= self.budget:
                break
            _remove(file.path)
            self.evicted += 1
            self.used -= file.size
            self._entries -= 1
        self._seen = now

    def open(self) -> None:
        """See what is in the folder; a folder that cannot be is no error."""
        if self.budget:
            try:
                self.look()
            except OSError as error:
                self._fail(error)

    def close(self) -> None:
        """Read and write nothing any more."""
        self._off_until = float("inf")
        self._patience.close()

    def _path(self, key: Key) -> Path:
        return self._folder / f"{key.file_name}.features"

    def _read(self, path: Path) -> F | None:
        try:
            if path.stat().st_size > self.budget:  # no writer's: it could fill the memory
                raise ValueError("it is larger than the whole cache may be")
            value = self._load(unseal(path.read_bytes()))
        except FileNotFoundError:
            return None
        except Exception as error:  # any damaged file can be recomputed
            log.warning("cannot read %s, which will be recomputed: %s", path.name, error)
            _remove(path)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return value

    def _scan(self) -> list[_File]:
        """Return the files of values; remove partial ones that were abandoned."""
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # another process has removed it
                    if _NAME.fullmatch(entry.name):
                        status = entry.stat()
                        file = _File(status.st_mtime, status.st_size, Path(entry.path))
                        found.append(file)
                    elif entry.name.endswith(".part") and _age(entry) > ABANDONED_SECONDS:
                        _remove(Path(entry.path))
        return found

    def _fail(self, error: Exception) -> None:
        self._off_until = self._clock() + RETRY_SECONDS
        if not self._has_failed:
            log.warning(
                "features are not kept on disk until it takes some again: cannot write to %s (%s)",
                self._folder,
                error,
            )
        self._has_failed = True


def _age(entry: os.DirEntry[str]) -> float:
    return time.time() - entry.stat().st_mtime


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
