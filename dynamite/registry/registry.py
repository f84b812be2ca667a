"""The versions of one line of models and which of them is current."""

import os
import re
import secrets
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

from dynamite.errors import CheckpointError
from dynamite.files import discard, discard_older
from dynamite.registry.errors import RegistryError, StaleError, as_registry_error
from dynamite.registry.log import Current, Log
from dynamite.registry.version import (
    DESCRIPTION,
    REPORT,
    WEIGHTS,
    Description,
    Version,
    digest,
    read_version,
)

_NAME = re.compile(r"[\w.-]{1,80}")

AGAIN_SECONDS = 0.05
"""Pause before beginning on top of what somebody else was quicker to enter."""

LEFT = ("versions/.*.part", "versions/.*.gone", "current/.*.part", "current/.*.gone")
"""What is being written or removed …"""

LEFT_SECONDS = 24 * 3600.0
"""… and what nobody has touched for so long was left by a process that was killed."""


class Registry:
    """Versions in ``folder``; any number of hosts may read and write at the same time.

    A version appears in one step, whole, or not at all.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._versions = folder / "versions"
        self._log = Log(folder / "current")

    def current(self) -> Current:
        """Which version is to be served.

        Raises:
            RegistryError: the folder cannot be read.
        """
        return self._log.read()

    def versions(self) -> list[Version]:
        """All that are whole and readable, the oldest first.

        Raises:
            RegistryError: the folder cannot be read.
        """
        found = []
        with as_registry_error(self.folder):
            folders = list(self._versions.glob("[!.]*"))
        for folder in folders:
            try:
                found.append(read_version(folder))
            except RegistryError:
                continue
        return sorted(found, key=lambda version: (version.created, version.name))

    def get(self, name: str) -> Version:
        """One version.

        Raises:
            MissingError: there is none of that name.
            RegistryError: the folder cannot be read.
        """
        if not _NAME.fullmatch(name):
            raise RegistryError(f"{name!r} is no name of a version")
        return read_version(self._versions / name)

    def entries(self) -> list[Current]:
        """What was promoted and announced, as far back as the log is kept, the oldest first.

        Raises:
            RegistryError: the folder cannot be read.
        """
        return self._log.entries()

    def was_current(self, name: str) -> bool:
        """Whether a version is, or has been, current: as far back as the log is kept.

        Raises:
            RegistryError: the folder cannot be read.
        """
        return any(entry.version == name for entry in self.entries())

    def begin(self, holder: str, *, anew: bool = True) -> Current:
        """Announce a change to come; those that were announced earlier can no longer be made.

        The result is what ``promote`` wants as ``token``. Unless the registry may be begun
        ``anew``, an empty folder counts as that of a share that is not mounted.

        Raises:
            RegistryError: the folder cannot be read or written.
        """
        if not anew and not self.current().number:
            raise RegistryError(
                f"{self.folder} is empty, or not mounted: there were versions in it. If they were "
                "removed on purpose, end this training and ask with `dynamite retrain --force`"
            )
        while True:
            try:
                return self._log.append(self.current().held(holder, "begins"))
            except StaleError:
                time.sleep(AGAIN_SECONDS)

    def add(
        self,
        weights: Path,
        description: Description,
        report: Path | None = None,
        token: Current | None = None,
    ) -> Version:
        """Copy a checkpoint of ours into the folder, as a version that is not current yet.

        The same weights again are the version that is there already; a damaged one is replaced.
        With the ``token`` that ``begin`` gave, nothing is written where the folder that it began in
        is not mounted.

        Raises:
            CheckpointError: the file is not whole, or not a checkpoint of ours.
            RegistryError: the folder cannot be written, for example because the disk is full.
        """
        from dynamite.checkpoints.checkpoint import read  # noqa: PLC0415

        name = read(weights).version
        if name is None:
            raise CheckpointError(f"{weights} has no version: convert it first")
        target = self._versions / name
        if (there := self._whole(target)) is not None:
            return there
        if token is not None:
            self._log.expect(token.number)
        self._make_folder()
        draft = self._versions / f".{name}.{secrets.token_hex(4)}.part"
        try:
            draft.mkdir()
            shutil.copyfile(weights, draft / WEIGHTS)
            if report is not None:
                shutil.copytree(report, draft / REPORT)
            now = datetime.now(UTC).isoformat(timespec="microseconds")
            version = Version(name, draft, now, digest(draft / WEIGHTS), description)
            version.verify()
            (draft / DESCRIPTION).write_text(version.to_json(), encoding="utf-8")
            for path in (draft / WEIGHTS, draft / DESCRIPTION):
                _sync(path)
            try:
                draft.rename(target)
            except OSError:
                if (there := self._whole(target)) is None:
                    raise
                return there  # somebody else has just added the same
        except OSError as error:
            raise RegistryError(f"version {name} cannot be written: {error}") from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return read_version(target)

    @staticmethod
    def _whole(folder: Path) -> Version | None:
        """The version in a folder; None if there is none, or a damaged one, which is removed."""
        if not (folder / DESCRIPTION).is_file():
            return None
        version = read_version(folder)
        try:
            version.verify()
        except CheckpointError:
            discard(folder)
            return None
        return version

    def promote(
        self, name: str | None, *, holder: str, reason: str, token: Current | None = None
    ) -> Current:
        """Make a version current (None: the weights that ship), after reading it whole.

        Args:
            name: the version.
            holder: who does it, for the log.
            reason: why, for the log.
            token: what ``begin`` gave. Without one, whatever is current now is replaced.

        Raises:
            CheckpointError: its file is damaged; nothing has changed.
            StaleError: something changed after ``token``, or at this very moment.
        """
        if name is not None:
            self.get(name).verify()
        return self._log.append((token or self.current()).moved(name, holder, reason))

    def rollback(self, *, holder: str, reason: str = "rolled back") -> Current:
        """Return to the version that was current before.

        Raises:
            RegistryError: there was none.
            CheckpointError: its file is damaged; nothing has changed.
            StaleError: something changed at this very moment.
        """
        entry = self.current().back(holder, reason)
        if entry.version is not None:
            self.get(entry.version).verify()
        return self._log.append(entry)

    def prune(self, keep: int) -> list[str]:
        """Delete all but the newest ``keep`` versions, the current one and its parent.

        What a rollback would return to stays as well. What killed processes left half written or
        half removed goes, too. Returns the names of the versions deleted.

        Raises:
            RegistryError: the folder cannot be read or written.
        """
        current = self.current()
        kept = {current.version, *current.history[:1]}
        versions = self.versions()
        kept |= {v.description.parent for v in versions if v.name == current.version}
        kept |= {version.name for version in versions[-keep:]}
        gone = [version for version in versions if version.name not in kept]
        for version in gone:
            with as_registry_error(self.folder):
                discard(version.folder)
        with as_registry_error(self.folder):
            left = [path for pattern in LEFT for path in self.folder.glob(pattern)]
        discard_older(left, LEFT_SECONDS)
        return [version.name for version in gone]

    def _make_folder(self) -> None:
        """Make the line's own folder, but not the one that is shared: it may not be mounted."""
        try:
            for folder in (self.folder, self._versions):
                folder.mkdir(exist_ok=True)
        except OSError as error:
            raise RegistryError(
                f"the folder of models {self.folder.parent} cannot be used: {error}"
            ) from error


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
