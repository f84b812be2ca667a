"""The cache tier on disk, which survives restarts."""

import contextlib
import logging
import re
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from backend.features.key import Features, Key
from dynamite.files import replacing

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Features)

HEADER_BYTES = 1 << 16
"""Upper bound on what a file holds besides its tensors: names and shapes."""

ABANDONED_SECONDS = 3600
"""Partial files older than this were left by a process that died."""

_NAME = re.compile(r"([0-9a-f]+-[0-9a-f]+)\.([0-9a-f]{8})\.safetensors")


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    size: int
    checksum: str


class DiskTier(Generic[F]):
    """An LRU cache with a file per entry in one folder, of at most ``budget`` bytes in total.

    Unreadable files are removed. After a failed write nothing more is written until the next start.
    File names include a checksum, and modification times record the last use, so both survive a
    restart. One thread may write, any number may read.
    """

    def __init__(self, folder: Path, budget: int, load: Callable[[Path], F]) -> None:
        self.budget = budget
        self.used = 0
        self.evicted = 0
        self.is_off = False
        self._folder = folder
        self._load = load
        self._lock = threading.Lock()
        self._files: OrderedDict[str, _File] = OrderedDict()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._scan()
        except OSError as error:
            self._switch_off(error)

    def __len__(self) -> int:
        return len(self._files)

    def get(self, key: Key) -> F | None:
        """Read the value from its file; return None if there is no readable file."""
        with self._lock:
            file = self._files.get(key.file_name)
            if file is None:
                return None
            self._files.move_to_end(key.file_name)
        try:
            if _checksum(file.path) != file.checksum:
                raise ValueError("its checksum is wrong")
            value = self._load(file.path)
        except Exception as error:  # any damaged file can be recomputed
            if not _is_gone(error):
                log.warning("cannot read %s, which will be recomputed: %s", file.path.name, error)
            with self._lock:
                if self._files.get(key.file_name) is file:
                    self._remove(key.file_name)
            return None
        with contextlib.suppress(OSError):
            file.path.touch(exist_ok=True)
        return value

    def put(self, key: Key, value: F) -> None:
        """Write a value, unless it is larger than the budget."""
        name = key.file_name
        reserved = value.nbytes + HEADER_BYTES
        with self._lock:
            if self.is_off:
                return
            self._remove(name)  # even if the new value does not fit: never serve the old one
            if reserved > self.budget:
                return
            self._make_room(reserved)
            self.used += reserved
        file = None
        try:
            file = self._write(name, value)
        except Exception as error:  # the disk is full, unmounted or read-only
            self._switch_off(error)
        with self._lock:
            self.used -= reserved
            if file is not None:
                self._files[name] = file
                self.used += file.size
                self._make_room(0)

    def _write(self, name: str, value: F) -> _File:
        # The checksum in the name is known only once the file is complete, so rename twice.
        staged = self._folder / f".{name}.part"
        with replacing(staged) as path:
            value.save(path)
        checksum = _checksum(staged)
        path = staged.rename(self._folder / f"{name}.{checksum}.safetensors")
        return _File(path, path.stat().st_size, checksum)

    def _scan(self) -> None:
        for age, _, path in _by_age(self._folder.glob(".*.part")):
            if age > ABANDONED_SECONDS:
                path.unlink(missing_ok=True)
        for _, size, path in _by_age(self._folder.glob("*.safetensors")):
            if named := _NAME.fullmatch(path.name):
                self._remove(named[1])
                self._files[named[1]] = _File(path, size, named[2])
                self.used += size
        self._make_room(0)

    def _make_room(self, needed: int) -> None:
        while self._files and self.used + needed > self.budget:
            self._remove(next(iter(self._files)))
            self.evicted += 1

    def _remove(self, name: str) -> None:
        file = self._files.pop(name, None)
        if file is not None:
            self.used -= file.size
            with contextlib.suppress(OSError):
                file.path.unlink()

    def _switch_off(self, error: Exception) -> None:
        self.is_off = True
        log.warning(
            "features are not kept on disk until the next start: cannot write to %s (%s)",
            self._folder,
            error,
        )


def _by_age(paths: Iterator[Path]) -> list[tuple[float, int, Path]]:
    """Return age in seconds, size in bytes and path of each file, oldest first."""
    found = []
    now = time.time()
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # another process may have removed it
            status = path.stat()
            found.append((now - status.st_mtime, status.st_size, path))
    return sorted(found, reverse=True)


def _is_gone(error: Exception) -> bool:
    """Whether the file was missing, judged by the error: asking the disk could fail too."""
    return isinstance(error.__cause__ or error, FileNotFoundError)  # a loader may wrap it


def _checksum(path: Path) -> str:
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
    return f"{checksum:08x}"
