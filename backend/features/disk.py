"""The tier on disk, which outlives the process."""

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

from backend.features.values import Features, Key, version_prefix
from dynamite.files import replacing

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Features)

HEADER_BYTES = 1 << 16
"""More than the names and shapes in a file take, beside its tensors."""

ABANDONED_SECONDS = 3600
"""Age of a half-written file that nobody writes any more."""

_NAME = re.compile(r"([0-9a-f]+-[0-9a-f]+)\.([0-9a-f]{8})\.safetensors")


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    size: int
    checksum: str


class DiskTier(Generic[F]):
    """A file per image in one folder, which never holds more than ``budget`` bytes.

    Files that cannot be read are removed. After a failure to write, nothing more is written until
    the next start. A file's name holds its checksum, its time the last use, so both survive too.
    One thread writes, any may read.
    """

    def __init__(self, folder: Path, budget: int, load: Callable[[Path], F]) -> None:
        self.budget = budget
        self.used = 0
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
        """The value, read from its file; None if there is none that can be read."""
        with self._lock:
            file = self._files.get(key.file_name)
            if file is None:
                return None
            self._files.move_to_end(key.file_name)
        try:
            if _checksum(file.path) != file.checksum:
                raise ValueError("its bytes are not those that were written")
            value = self._load(file.path)
        except Exception as error:  # whatever is wrong with the file, it can be made again
            if not _is_gone(error):
                log.warning("%s cannot be read and is made again: %s", file.path.name, error)
            with self._lock:
                if self._files.get(key.file_name) is file:
                    self._remove(key.file_name)
            return None
        with contextlib.suppress(OSError):
            file.path.touch(exist_ok=True)
        return value

    def put(self, key: Key, value: F, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Write a value, unless it is over the budget or by now ``is_wanted`` says no."""
        name = key.file_name
        reserved = value.nbytes + HEADER_BYTES
        with self._lock:
            if self.is_off or not is_wanted():
                return
            self._remove(name)  # also where the new value does not fit: an old one is never served
            if reserved > self.budget:
                return
            self._make_room(reserved)
            self.used += reserved
        file = None
        try:
            file = self._write(name, value)
        except Exception as error:  # the disk is full, or gone, or not ours
            self._switch_off(error)
        with self._lock:
            self.used -= reserved
            if file is not None:
                self._files[name] = file
                self.used += file.size
                if not is_wanted():
                    self._remove(name)
                self._make_room(0)

    def drop_version(self, version: str) -> None:
        """Remove the files of a model version."""
        prefix = version_prefix(version)
        with self._lock:
            for name in [name for name in self._files if name.startswith(prefix)]:
                self._remove(name)

    def _write(self, name: str, value: F) -> _File:
        # The checksum is known only once the file is whole, so it gets its name in two steps.
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

    def _remove(self, name: str) -> None:
        file = self._files.pop(name, None)
        if file is not None:
            self.used -= file.size
            with contextlib.suppress(OSError):
                file.path.unlink()

    def _switch_off(self, error: Exception) -> None:
        self.is_off = True
        log.warning(
            "features are not kept on disk until the next start: %s cannot be written (%s)",
            self._folder,
            error,
        )


def _by_age(paths: Iterator[Path]) -> list[tuple[float, int, Path]]:
    """Age in seconds, size in bytes and path of each file, the oldest first."""
    found = []
    now = time.time()
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # another process may have removed it
            status = path.stat()
            found.append((now - status.st_mtime, status.st_size, path))
    return sorted(found, reverse=True)


def _is_gone(error: Exception) -> bool:
    """Whether the file was not there: the error says it, asking the disk again may fail too."""
    return isinstance(error.__cause__ or error, FileNotFoundError)  # a loader may wrap it


def _checksum(path: Path) -> str:
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
    return f"{checksum:08x}"
