"""The ``dynamite`` command as it must be typed here, and texts that name it."""

import os
import shutil
import sys
from pathlib import Path


def own_command() -> str:
    """Return the ``dynamite`` command as it must be typed here: by name if the shell finds it."""
    own = Path(sys.executable).with_name("dynamite")
    if shutil.which("dynamite") == str(own) or not own.exists():
        return "dynamite"
    relative = os.path.relpath(own)
    return str(own) if relative.startswith("..") else relative


def as_typed(text: str) -> str:
    """Return a text in which each `` `dynamite …` `` is as it must be typed here."""
    return text.replace("`dynamite ", f"`{own_command()} ")
