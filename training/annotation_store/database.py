"""An SQLite file that survives a power cut: a transaction that has ended is on the disk."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dynamite.errors import DynamiteError

WAIT_SECONDS = 60.0
"""How long a writer waits for another process to finish: a webhook storm has many writers."""

DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class StoreError(DynamiteError):
    """The annotation store, or a file beside it, cannot be read or written."""


@dataclass(frozen=True)
class FileFormat:
    """What an SQLite file holds.

    Attributes:
        name: what error messages call the file.
        version: format version; files of any other version are refused.
        tables: SQL that creates the tables where they are missing.
        remedy: what to do when the file is damaged.
    """

    name: str
    version: int
    tables: str
    remedy: str


class Database:
    """One open SQLite file. Not for several threads at once; any number of processes may share it.

    Args:
        path: the file; created if missing, its folder must exist.
        file_format: what it holds.

    Raises:
        StoreError: the file cannot be opened, or has another format version.
    """

    def __init__(self, path: Path, file_format: FileFormat) -> None:
        self.path = path
        self._format = file_format
        try:
            self.connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
            self.connection.row_factory = sqlite3.Row
            self.connection.execute("PRAGMA synchronous = FULL")
            version = int(self.connection.execute("PRAGMA user_version").fetchone()[0])
            if version == 0:  # just created
                self.connection.executescript(
                    f"BEGIN IMMEDIATE; {file_format.tables} "
                    f"PRAGMA user_version = {file_format.version}; COMMIT"
                )
        except sqlite3.Error as error:
            raise StoreError(
                f"{file_format.name} {path} cannot be opened: {self._described(error)}"
            ) from error
        if version not in (0, file_format.version):
            self.close()
            raise StoreError(
                f"{path} has format version {version}, this release reads version "
                f"{file_format.version} only: use the release that wrote it"
            )

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def ask(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows that a query finds.

        Raises:
            StoreError: the file cannot be read.
        """
        try:
            return self.connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit all that is written in the block, or nothing if it raises.

        Raises:
            StoreError: the file cannot be written.
        """
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:  # on a full disk SQLite itself rolls back
                    self.connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error) -> StoreError:
        return StoreError(f"{self._format.name} {self.path} fails: {self._described(error)}")

    def _described(self, error: sqlite3.Error) -> str:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code, without the detail
        return f"{error}; {self._format.remedy}" if code in DAMAGED else str(error)
