"""Records which version is current, in a log of numbered files, each written once.

The entry with the highest number counts. Creating a hard link fails if the name exists, on network
file systems, too. So only a process that has seen entry n can add entry n + 1. Adding it is both a
compare-and-set and a fence: a process that began earlier finds its number taken.
"""

import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dynamite.formats import refusal
from dynamite.json_text import read_json
from dynamite.registry.errors import RegistryError, StaleError, as_registry_error

FORMAT_VERSION = 1
"""Highest format of an entry that is read, and the one that is written."""

KEPT_ENTRIES = 100
"""Old entries kept for reading; older ones are deleted."""

HISTORY_LENGTH = 20
"""How many rollbacks an entry remembers."""


@dataclass(frozen=True)
class Current:
    """The state after entry ``number``.

    Attributes:
        number: of the entry; 0 before the first.
        version: the version to serve; None: the weights that ship, or the configured ones.
        history: the versions that rollbacks return to, newest first; "" stands for None.
        holder: who made the entry.
        reason: why.
        time: ISO 8601, UTC.
    """

    number: int = 0
    version: str | None = None
    history: tuple[str, ...] = ()
    holder: str = ""
    reason: str = ""
    time: str = ""

    def with_version(self, version: str | None, holder: str, reason: str) -> "Current":
        """Return the state with another version current."""
        before = (self.version or "", *self.history)[:HISTORY_LENGTH]
        return self._next(version, before, holder, reason)

    def rolled_back(self, holder: str, reason: str) -> "Current":
        """Return the state with the previous version current.

        Raises:
            RegistryError: there was none.
        """
        if not self.history:
            raise RegistryError("there is nothing to roll back to: no version was current before")
        return self._next(self.history[0] or None, self.history[1:], holder, reason)

    def announced(self, holder: str, reason: str) -> "Current":
        """Return the same state with a change announced: earlier announcements become stale."""
        return self._next(self.version, self.history, holder, reason)

    def _next(
        self, version: str | None, history: tuple[str, ...], holder: str, reason: str
    ) -> "Current":
        time = datetime.now(UTC).isoformat(timespec="seconds")
        return Current(self.number + 1, version, history, holder, reason, time)


class Log:
    """The log in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> Current:
        """Return the newest entry.

        Raises:
            RegistryError: the folder cannot be read, or the entry is damaged.
        """
        with as_registry_error(self._folder):
            names = self._names()
            return self._entry(names[-1]) if names else Current()

    def entries(self) -> list[Current]:
        """Return all kept entries that are not damaged, oldest first.

        Raises:
            RegistryError: the folder cannot be read.
        """
        found = []
        with as_registry_error(self._folder):
            for name in self._names():
                with suppress(RegistryError):
                    found.append(self._entry(name))
        return found

    def require(self, known: int) -> None:
        """Check that the entry with a known number, or a newer one, is there.

        An unmounted share leaves an empty folder behind. What is written there is lost.

        Raises:
            RegistryError: it is not there, or the folder cannot be read.
        """
        with as_registry_error(self._folder):
            names = self._names()
            if (number(names[-1]) if names else 0) < known:
                raise RegistryError(
                    f"{self._folder} has lost its newest entries, or is not mounted: "
                    f"number {known} was there"
                )

    def append(self, entry: Current) -> Current:
        """Add an entry and return it.

        Raises:
            StaleError: an entry of that number exists already.
            RegistryError: the folder cannot be written, or has lost the previous entry.
        """
        self.require(entry.number - 1)
        with as_registry_error(self._folder):
            for folder in (self._folder.parent, self._folder):
                folder.mkdir(exist_ok=True)
            names = self._names()
            if names and number(names[-1]) >= entry.number:
                raise _stale(entry)
            draft = self._folder / f".{secrets.token_hex(8)}.part"
            try:
                with draft.open("w", encoding="utf-8") as file:
                    json.dump(asdict(entry), file)
                    file.flush()
                    os.fsync(file.fileno())
                os.link(draft, self._folder / f"{entry.number:09d}.json")
            except FileExistsError:
                if draft.stat().st_nlink < 2:  # NFS may report this for a link it has just made
                    raise _stale(entry) from None
            finally:
                draft.unlink(missing_ok=True)
            for old in names[:-KEPT_ENTRIES]:
                (self._folder / old).unlink(missing_ok=True)
        return entry

    def _entry(self, name: str) -> Current:
        path = self._folder / name
        try:
            values: dict[str, Any] = read_json(path.read_bytes())
            if newer := refusal(values, FORMAT_VERSION, path):
                raise RegistryError(newer)
            return Current(**(values | {"history": tuple(values["history"])}))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RegistryError(f"{path} is damaged ({error}): delete it") from error

    def _names(self) -> list[str]:
        shared = self._folder.parent.parent
        if not shared.is_dir():
            raise RegistryError(f"the folder of models {shared} does not exist: is it mounted?")
        return sorted(path.name for path in self._folder.glob("?????????.json"))


def number(name: str) -> int:
    """Return the number of an entry from its file name."""
    return int(name.partition(".")[0])


def _stale(entry: Current) -> StaleError:
    return StaleError(
        f"{entry.holder} is too late to make {entry.version or 'the shipped weights'} current: "
        "another process has changed, or begun to change, the current version"
    )
