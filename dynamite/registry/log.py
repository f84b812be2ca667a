"""Which version is current: a log of numbered files, each written once by whoever is first.

The entry with the highest number counts. Making a hard link fails if the name exists, on network
file systems too: so entry n + 1 can only be added by somebody who has seen entry n, and adding it
is both a compare-and-set and a fence: whoever began earlier finds its number taken.
"""

import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dynamite.registry.errors import RegistryError, StaleError, as_registry_error

KEPT = 100
"""Old entries that are left for reading; more are deleted."""

HISTORY = 20


@dataclass(frozen=True)
class Current:
    """The state after entry ``number``.

    Attributes:
        number: of the entry; 0 before the first.
        version: what is to be served; None: the weights that ship, or the configured ones.
        history: what a rollback returns to, the last first; "" stands for None.
        holder: who made the entry.
        reason: why.
        time: ISO, UTC.
    """

    number: int = 0
    version: str | None = None
    history: tuple[str, ...] = ()
    holder: str = ""
    reason: str = ""
    time: str = ""

    def moved(self, version: str | None, holder: str, reason: str) -> "Current":
        """The state with another version on top."""
        before = (self.version or "", *self.history)[:HISTORY]
        return self._next(version, before, holder, reason)

    def back(self, holder: str, reason: str) -> "Current":
        """The state before the current version was promoted.

        Raises:
            RegistryError: there was none.
        """
        if not self.history:
            raise RegistryError("there is nothing to roll back to: no version was current before")
        return self._next(self.history[0] or None, self.history[1:], holder, reason)

    def held(self, holder: str, reason: str) -> "Current":
        """The same state, with somebody about to change it."""
        return self._next(self.version, self.history, holder, reason)

    def _next(
        self, version: str | None, history: tuple[str, ...], holder: str, reason: str
    ) -> "Current":
        time = datetime.now(UTC).isoformat(timespec="seconds")
        return Current(self.number + 1, version, history, holder, reason, time)


class Log:
    """The entries in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> Current:
        """The newest entry.

        Raises:
            RegistryError: the folder cannot be read, or the entry is damaged.
        """
        with as_registry_error(self._folder):
            names = self._names()
            return self._entry(names[-1]) if names else Current()

    def entries(self) -> list[Current]:
        """All that are kept and not damaged, the oldest first.

        Raises:
            RegistryError: the folder cannot be read.
        """
        found = []
        with as_registry_error(self._folder):
            for name in self._names():
                with suppress(RegistryError):
                    found.append(self._entry(name))
        return found

    def expect(self, known: int) -> None:
        """Make sure that the entries up to a known one are there.

        Where a share was mounted there may be an empty folder: whatever is written there is lost.

        Raises:
            RegistryError: they are not.
        """
        with as_registry_error(self._folder):
            names = self._names()
            if (number(names[-1]) if names else 0) < known:
                raise RegistryError(
                    f"{self._folder} has lost its newest entries, or is not mounted: "
                    f"number {known} was there"
                )

    def append(self, entry: Current) -> Current:
        """Add the entry that follows the one it was made from.

        Raises:
            StaleError: there is one of that number already.
            RegistryError: the folder cannot be written, or has lost the entry before.
        """
        self.expect(entry.number - 1)
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
                if draft.stat().st_nlink < 2:  # NFS may say so of the link it has just made
                    raise _stale(entry) from None
            finally:
                draft.unlink(missing_ok=True)
            for old in names[:-KEPT]:
                (self._folder / old).unlink(missing_ok=True)
        return entry

    def _entry(self, name: str) -> Current:
        path = self._folder / name
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return Current(**(values | {"history": tuple(values["history"])}))
        except (ValueError, KeyError, TypeError) as error:
            raise RegistryError(f"{path} is damaged ({error}): delete it") from error

    def _names(self) -> list[str]:
        shared = self._folder.parent.parent
        if not shared.is_dir():
            raise RegistryError(f"the folder of models {shared} is not there: is it mounted?")
        return sorted(path.name for path in self._folder.glob("?????????.json"))


def number(name: str) -> int:
    """The number of an entry by its file's name."""
    return int(name.partition(".")[0])


def _stale(entry: Current) -> StaleError:
    return StaleError(
        f"{entry.holder} comes too late to make {entry.version or 'the shipped weights'} current: "
        "somebody else has changed, or begun to change, which version is"
    )
