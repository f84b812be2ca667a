"""The versions of one line of models, and which of them is current."""

import os
import re
import secrets
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

from dynamite.errors import CheckpointError
from dynamite.files import discard, discard_older
from dynamite.manifest import digest
from dynamite.registry.errors import RegistryError, StaleError, as_registry_error
from dynamite.registry.log import Current, Log
from dynamite.registry.version import (
    DESCRIPTION,
    REPORT,
    WEIGHTS,
    Description,
    Version,
    read_version,
)

_NAME = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,79}")

RETRY_SECONDS = 0.05
"""Pause before announcing again, after another process added an entry first."""

TEMPORARY = ("versions/.*.part", "versions/.*.gone", "current/.*.part", "current/.*.gone")
"""Patterns of files and folders being written or removed."""

TEMPORARY_SECONDS = 24 * 3600.0
"""Temporary files untouched for this long were left by a killed process."""


class Registry:
    """Versions in ``folder``. Any number of hosts may read and write at the same time.

    Versions are published atomically.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._versions = folder / "versions"
        self._log = Log(folder / "current")

    def current(self) -> Current:
        """Return which version to serve.

        Raises:
            RegistryError: the folder cannot be read.
        """
        return self._log.read()

    def versions(self) -> list[Version]:
        """Return all readable versions, oldest first.

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
        """Return one version.

        Raises:
            MissingError: there is none of that name.
            RegistryError: not a valid name, or the folder cannot be read.
        """
        _check_name(name)
        return read_version(self._versions / name)

    def entries(self) -> list[Current]:
        """Return the log's entries, as far back as they are kept, oldest first.

        Raises:
            RegistryError: the folder cannot be read.
        """
        return self._log.entries()

    def was_current(self, name: str) -> bool:
        """Return whether a version is or was current, as far back as the log is kept.

        Raises:
            RegistryError: the folder cannot be read.
        """
        return any(entry.version == name for entry in self.entries())

    def begin(self, holder: str, *, allow_empty: bool = True) -> Current:
        """Announce a change. Changes announced earlier can then no longer be made.

        Args:
            holder: who announces it, for the log.
            allow_empty: start a registry in an empty folder; otherwise an empty folder is taken for
                a share that is not mounted.

        Returns:
            The ``token`` for ``add`` and ``promote``.

        Raises:
            RegistryError: the folder cannot be read or written, or is empty and may not be.
        """
        if not allow_empty and not self.current().number:
            raise RegistryError(
                f"{self.folder} is empty or not mounted, but it held versions. If they were "
                "removed on purpose, end this training and start `dynamite retrain --force`"
            )
        while True:
            try:
                return self._log.append(self.current().announced(holder, "begins"))
            except StaleError:
                time.sleep(RETRY_SECONDS)

    def add(
        self,
        weights: Path,
        description: Description,
        report: Path | None = None,
        token: Current | None = None,
    ) -> Version:
        """Copy a checkpoint of ours into the folder, as a version that is not current yet.

        If the same weights are there already, that version is returned; a damaged one is replaced.

        Args:
            weights: the checkpoint.
            description: what to record about it.
            report: folder of the report it was judged by, copied too.
            token: from ``begin``. With it, nothing is written if the folder in which the change was
                announced is no longer mounted.

        Raises:
            CheckpointError: the file is damaged, or not a checkpoint of ours.
            RegistryError: the folder cannot be written, for example because the disk is full.
        """
        from dynamite.checkpoints.checkpoint import read  # noqa: PLC0415

        name = read(weights).version
        if name is None:
            raise CheckpointError(
                f"{weights} is a published checkpoint: convert it with `dynamite convert` first"
            )
        _check_name(name)
        target = self._versions / name
        if (existing := self._complete(target)) is not None:
            return existing
        if token is not None:
            self._log.require(token.number)
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
                if (existing := self._complete(target)) is None:
                    raise
                return existing  # another process has just added the same
        except OSError as error:
            raise RegistryError(f"version {name} cannot be written: {error}") from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return read_version(target)

    @staticmethod
    def _complete(folder: Path) -> Version | None:
        """Return the version in a folder; None if there is none. A damaged one is removed."""
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
        """Make a version current, after verifying all of its file.

        Args:
            name: the version; None: the weights that ship.
            holder: who does it, for the log.
            reason: why, for the log.
            token: from ``begin``. Without one, whatever is current now is replaced.

        Raises:
            CheckpointError: its file is damaged; nothing has changed.
            StaleError: something changed after ``token``, or at this very moment.
            RegistryError: there is no such version, or the folder cannot be used.
        """
        if name is not None:
            self.get(name).verify()
        return self._log.append((token or self.current()).with_version(name, holder, reason))

    def rollback(self, *, holder: str, reason: str = "rolled back") -> Current:
        """Make the previously current version current again.

        Raises:
            RegistryError: there was none.
            CheckpointError: its file is damaged; nothing has changed.
            StaleError: something changed at this very moment.
        """
        entry = self.current().rolled_back(holder, reason)
        if entry.version is not None:
            self.get(entry.version).verify()
        return self._log.append(entry)

    def prune(self, keep: int) -> list[str]:
        """Delete all but the newest ``keep`` versions, the current one, its parent and the one a
        rollback would return to. Also delete temporary files of killed processes.

        Returns:
            The names of the deleted versions.

        Raises:
            RegistryError: the folder cannot be read or written.
        """
        current = self.current()
        kept = {current.version, *current.history[:1]}
        versions = self.versions()
        kept |= {v.description.parent for v in versions if v.name == current.version}
        kept |= {version.name for version in versions[-keep:]}
        deleted = [version for version in versions if version.name not in kept]
        for version in deleted:
            with as_registry_error(self.folder):
                discard(version.folder)
        with as_registry_error(self.folder):
            temporary = [path for pattern in TEMPORARY for path in self.folder.glob(pattern)]
        discard_older(temporary, TEMPORARY_SECONDS)
        return [version.name for version in deleted]

    def _make_folder(self) -> None:
        """Create the line's own folder, but not the shared one, which may be unmounted."""
        try:
            for folder in (self.folder, self._versions):
                folder.mkdir(exist_ok=True)
        except OSError as error:
            raise RegistryError(
                f"the folder of models {self.folder.parent} cannot be used: {error}"
            ) from error


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise RegistryError(
            f"{name[:80]!r} is not the name of a version: `dynamite models list` shows all versions"
        )


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
