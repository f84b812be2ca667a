"""Reads files below one folder, and from nowhere else."""

import errno
import os
import stat
from pathlib import Path

from backend.errors import ImageRefusedError, ImageTooLargeError, ImageUnreachableError


def read_below(root: Path, relative: str, max_bytes: int) -> bytes | None:
    """Return the bytes of ``root``/``relative``; None if there is no such file.

    Each folder is opened relative to the one before and no symbolic link is followed, so the file
    that is checked is the file that is read, even if the folders change meanwhile.

    Raises:
        ImageRefusedError: The path is absolute, holds ``..``, a NUL or a backslash, goes through a
            symbolic link, or is not a regular file.
        ImageTooLargeError: The file is larger than ``max_bytes``.
        ImageUnreachableError: The file cannot be read.
    """
    parts = checked_parts(relative)
    shown = repr(relative[:200])
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in parts[:-1]:
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                os.close(folder)
                folder = inner
            # Without O_NONBLOCK, opening a pipe waits for its other end.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(parts[-1], flags, dir_fd=folder)
        finally:
            os.close(folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if _has_symlink(root, parts):
            raise ImageRefusedError(
                f"{shown} goes through a symbolic link, which is not followed"
            ) from None
        if isinstance(error, NotADirectoryError) or error.errno == errno.ENAMETOOLONG:
            return None
        raise ImageUnreachableError(f"cannot read {shown}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ImageRefusedError(f"{shown} is not a file")
    with open(descriptor, "rb") as file:  # noqa: PTH123  pathlib cannot open descriptors
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ImageTooLargeError(
            f"{shown} is larger than the {max_bytes} bytes allowed (DYNAMITE_MAX_IMAGE_BYTES)"
        )
    return data


def checked_parts(relative: str) -> list[str]:
    """Split a relative path that stays below its starting folder.

    Raises:
        ImageRefusedError: The path does not stay there, or is empty.
    """
    parts = [part for part in relative.split("/") if part not in ("", ".")]
    if relative.startswith("/") or ".." in parts or "\\" in relative or "\0" in relative:
        raise ImageRefusedError(f"{relative[:200]!r} is not a path below the folder of local files")
    if not parts:
        raise ImageRefusedError("the path of the local file is empty")
    return parts


def _has_symlink(root: Path, parts: list[str]) -> bool:
    try:
        return any(root.joinpath(*parts[:end]).is_symlink() for end in range(1, len(parts) + 1))
    except OSError:  # the path is too long
        return False
