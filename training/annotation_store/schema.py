"""The tables of the store, and how it is opened."""

import sqlite3
from pathlib import Path

from dynamite.errors import DynamiteError

VERSION = 4
WAIT_SECONDS = 60.0
"""How long a writer waits for another one: a webhook storm has many."""

TABLES = """
CREATE TABLE IF NOT EXISTS annotations (
    annotation INTEGER PRIMARY KEY,
    project INTEGER,
    task INTEGER,
    updated_at TEXT NOT NULL,
    annotator INTEGER,
    ground_truth INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0,
    images TEXT NOT NULL DEFAULT '[]',
    change INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS by_task ON annotations (project, task);
CREATE INDEX IF NOT EXISTS by_change ON annotations (change);
CREATE TABLE IF NOT EXISTS rejected (
    annotation INTEGER NOT NULL,
    region TEXT,
    project INTEGER,
    task INTEGER,
    updated_at TEXT NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS rejected_by_annotation ON rejected (annotation);
CREATE TABLE IF NOT EXISTS tasks (task INTEGER PRIMARY KEY, project INTEGER, updated_at TEXT);
CREATE TABLE IF NOT EXISTS gone (
    kind TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (kind, id)
);
CREATE TABLE IF NOT EXISTS waiting (event TEXT PRIMARY KEY, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trained (line TEXT PRIMARY KEY, change INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS projects (project INTEGER PRIMARY KEY, created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sites (url TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY CHECK (id = 0), change INTEGER NOT NULL);
INSERT OR IGNORE INTO counter VALUES (0, 0);
"""


DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class StoreError(DynamiteError):
    """The annotation store cannot be read or written."""


def described(error: Exception) -> str:
    """What SQLite says, and what to do about it where the file is to blame."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest is the reason within the kind
    if code not in DAMAGED:
        return str(error)
    return (
        f"{error}; move it away: `dynamite sync --project N --anew` fetches what was accepted into "
        "a new one"
    )


def connect(path: Path) -> sqlite3.Connection:
    """Open the database, made if it is missing; each transaction is on the disk when it ends.

    Its folder is made too, but not the one that lies in: that may be a share to be mounted.

    Raises:
        StoreError: it cannot be opened, or a newer release made it.
    """
    if not path.parent.parent.is_dir():
        raise StoreError(
            f"the folder {path.parent.parent} of the annotation store is away: mount it, or make it"
        )
    try:
        path.parent.mkdir(exist_ok=True)
        database = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA synchronous = FULL")
        found = int(database.execute("PRAGMA user_version").fetchone()[0])
        if found < VERSION:
            database.executescript(
                f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version={VERSION}; COMMIT"
            )
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"the annotation store {path} cannot be opened: {described(error)}"
        ) from error
    if found > VERSION:
        database.close()
        raise StoreError(
            f"{path} has format version {found}, this release reads up to {VERSION}: update it"
        )
    return database
