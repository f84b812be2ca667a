"""Files that are never half-written, folders that are never half-removed."""

import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a name in the same folder for a new file, which takes the place of ``path`` at the end.

    If the block raises, ``path`` is as it was. The new file is on the disk, not only in the
    system's memory, before it takes the place.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def discard(path: Path) -> None:
    """Remove a file or folder: under its name whole or gone, even if this is killed meanwhile.

    Raises:
        OSError: it is as it was.
    """
    trash = path.with_name(f".{path.name}.{secrets.token_hex(4)}.gone")
    path.rename(trash)
    if trash.is_dir():
        shutil.rmtree(trash, ignore_errors=True)
    else:
        trash.unlink(missing_ok=True)


def last_changed(path: Path) -> float:
    """When a file or the folder itself was last changed or touched, in seconds."""
    return path.stat().st_mtime


def last_touched(path: Path) -> float:
    """When it or something in it was last written, in seconds."""
    return max(one.stat().st_mtime for one in [path, *path.rglob("*")])


def discard_older(
    found: Iterable[Path], seconds: float, last: Callable[[Path], float] = last_touched
) -> int:
    """Remove the files and folders in use for the ``last`` time so long ago; how many."""
    late = time.time() - seconds
    old = 0
    for path in found:
        with suppress(OSError):  # another time
            if last(path) < late:
                discard(path)
                old += 1
    return old
