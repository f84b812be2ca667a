"""Files that are never half-written, folders that are never half-removed."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
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


def discard(folder: Path) -> None:
    """Remove a folder: under its name it is whole or gone, even if this is killed meanwhile.

    Raises:
        OSError: it is as it was.
    """
    trash = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.gone")
    folder.rename(trash)
    shutil.rmtree(trash, ignore_errors=True)
