"""Keeps accepted annotations, images and the queue from the other users of the machine."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OTHERS = 0o077
"""All rights of the group and of others."""


@contextmanager
def private_files() -> Iterator[None]:
    """Make files readable by this user only, in this process and in those it starts meanwhile."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def is_everybodys(folder: Path) -> bool:
    """Whether a folder, such as /tmp, is for all users of the machine to write to."""
    found = folder.stat()
    is_shared = bool(found.st_mode & stat.S_ISVTX) or found.st_uid != os.geteuid()
    return is_shared and bool(found.st_mode & stat.S_IWOTH)


def make_private(folder: Path) -> None:
    """Take away the rights of other users to a folder, if it is ours."""
    found = folder.stat()
    if found.st_uid == os.geteuid() and found.st_mode & OTHERS:
        folder.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS)
