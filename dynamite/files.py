"""Writes files and removes folders atomically."""

import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from errno import EEXIST
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; the file written there replaces ``path`` at the end.

    If the block raises, ``path`` stays as it was. The new file is synced to disk before it replaces
    the old one.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``, which becomes ``path`` at the end.

    If the block raises, nothing is left of it.

    Raises:
        FileExistsError: ``path`` exists, before or after the block.
    """
    _refuse_existing(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    temporary.mkdir()
    try:
        yield temporary
        _refuse_existing(path)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise FileExistsError(EEXIST, "it exists already, and nothing is overwritten", str(path))


def discard(path: Path) -> None:
    """Remove a file or folder atomically: even if killed, it is either complete or gone.

    Raises:
        OSError: it could not be renamed and is unchanged.
    """
    trash = path.with_name(f".{path.name}.{secrets.token_hex(4)}.gone")
    path.rename(trash)
    if trash.is_dir():
        shutil.rmtree(trash, ignore_errors=True)
    else:
        trash.unlink(missing_ok=True)


def last_changed(path: Path) -> float:
    """Return when a file, or the folder itself, last changed, in seconds since the epoch."""
    return path.stat().st_mtime


def last_touched(path: Path) -> float:
    """Return when a file, a folder or anything in it last changed, in seconds since the epoch."""
    return max(one.stat().st_mtime for one in [path, *path.rglob("*")])


def discard_older(
    found: Iterable[Path], seconds: float, last: Callable[[Path], float] = last_touched
) -> int:
    """Remove files and folders that were last used over ``seconds`` ago; return how many.

    Args:
        found: what may be removed; what cannot be is skipped.
        seconds: age.
        last: returns when a path was last used, in seconds since the epoch.
    """
    limit = time.time() - seconds
    removed = 0
    for path in found:
        with suppress(OSError):  # retried the next time
            if last(path) < limit:
                discard(path)
                removed += 1
    return removed
