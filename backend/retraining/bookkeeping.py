"""What the bookkeeping of every collector has: its file, and where its tool has been seen."""

from pathlib import Path
from typing import Self

from training.annotation_store import Database, FileFormat

SITES = "CREATE TABLE IF NOT EXISTS sites (url TEXT PRIMARY KEY);"
"""The table that every file has; it is part of ``FileFormat.tables``."""


class CollectorFile:
    """The SQLite file of one collector, beside the annotation store.

    Not for several threads at once; any number of processes may share the file. Every change is
    one transaction.

    Args:
        path: the file; its name is that of the tool, the source of its annotations.
        file_format: its tables, ``SITES`` among them.

    Raises:
        StoreError: the file cannot be opened; every method raises it where reading or writing
            fails.
    """

    def __init__(self, path: Path, file_format: FileFormat) -> None:
        self.source = path.stem
        self._database = Database(path, file_format)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def note_site(self, url: str) -> None:
        """Remember a URL at which the tool has been seen."""
        if url not in self.sites():
            self._write("INSERT OR IGNORE INTO sites VALUES (?)", url)

    def sites(self) -> set[str]:
        """Return the URLs at which the tool has been seen."""
        return {str(row[0]) for row in self._database.ask("SELECT url FROM sites")}

    def _write(self, statement: str, *values: object) -> None:
        with self._database.transaction() as database:
            database.execute(statement, values)
