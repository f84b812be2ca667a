"""A folder that only this user can enter, in a place where all users can write."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from backend.settings.toml_file import SettingsError


def private_folder(path: Path) -> Path:
    """Return a folder after checking that it is this user's alone; make it if it is missing.

    Raises:
        SettingsError: Another user made it, it is no folder, or other users may enter it.
    """
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()  # a link could lead to a folder that is changed later
    others = stat.S_IMODE(found.st_mode) & 0o077
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or others:
        raise SettingsError(
            f"{path} is no folder of user {os.geteuid()} alone ({stat.filemode(found.st_mode)}, of "
            f"user {found.st_uid}): another user could put a queue server of theirs there. Remove "
            "it, or set DYNAMITE_STATE_DIR to a shorter path, whose socket fits into the state "
            "folder itself"
        )
    return path
