"""The list of a folder's files with their digests: what a copy must hold to be whole."""

import json
from hashlib import sha256
from pathlib import Path

from dynamite.errors import DynamiteError
from dynamite.formats import KEY, refusal
from dynamite.json_text import read_json

FILE = "manifest.json"

FORMAT_VERSION = 1


class ManifestError(DynamiteError):
    """A folder is not what its manifest says."""


def write_manifest(folder: Path) -> int:
    """List all files of a folder in it; return how many."""
    files = {str(path.relative_to(folder)): digest(path) for path in _files(folder)}
    text = json.dumps({KEY: FORMAT_VERSION, "files": files}, indent=1)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")
    return len(files)


def check_manifest(folder: Path) -> None:
    """Check that a folder holds the files of its manifest, unchanged, and no others.

    Raises:
        ManifestError: it does not, or its manifest is missing, damaged or of a newer format.
    """
    path = folder / FILE
    try:
        values = read_json(path.read_bytes())
        if newer := refusal(values, FORMAT_VERSION, path):
            raise ManifestError(newer)
        wanted = dict(values["files"])
    except FileNotFoundError:
        raise ManifestError(f"{folder} is no backup: it has no {FILE}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestError(f"{path} cannot be read: {error}") from error
    found = {str(path.relative_to(folder)): path for path in _files(folder)}
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            raise ManifestError(f"{folder} is damaged: {name} is missing")
        if name not in wanted:
            raise ManifestError(f"{folder} is damaged: {name} does not belong to it")
        if digest(found[name]) != wanted[name]:
            raise ManifestError(f"{folder} is damaged: {name} is not the file that was written")


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    found = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / FILE)
