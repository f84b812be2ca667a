"""The tables of the store, and how it is opened."""

from pathlib import Path

from training.annotation_store.database import Database, FileFormat, StoreError

FILE = "annotations.sqlite"

TABLES = """
CREATE TABLE IF NOT EXISTS annotations (
    source TEXT NOT NULL,
    annotation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    task INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    annotator INTEGER,
    ground_truth INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    images TEXT NOT NULL,
    change INTEGER NOT NULL,
    PRIMARY KEY (source, annotation)
);
CREATE INDEX IF NOT EXISTS by_task ON annotations (source, project, task);
CREATE INDEX IF NOT EXISTS by_change ON annotations (change);
CREATE TABLE IF NOT EXISTS rejected (
    source TEXT NOT NULL,
    annotation INTEGER NOT NULL,
    region TEXT,
    project INTEGER NOT NULL,
    task INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS rejected_by_annotation ON rejected (source, annotation);
CREATE TABLE IF NOT EXISTS gone (
    kind TEXT NOT NULL, source TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (kind, source, id)
);
CREATE TABLE IF NOT EXISTS trained (line TEXT PRIMARY KEY, change INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY CHECK (id = 0), change INTEGER NOT NULL);
INSERT OR IGNORE INTO counter VALUES (0, 0);
"""

FORMAT = FileFormat(
    name="the annotation store",
    version=1,
    tables=TABLES,
    remedy=(
        "move it away: `dynamite sync --project N --new-store` fetches what was accepted into a "
        "new one"
    ),
)


def is_there(folder: Path) -> bool:
    """Return whether there is a store in a folder."""
    return (folder / FILE).is_file()


def open_database(folder: Path) -> Database:
    """Open the database of the store in ``folder``; create both if they are missing.

    The folder above is not created: it may be a share that is not mounted.

    Raises:
        StoreError: the folder above is missing, or the database cannot be opened.
    """
    if not folder.parent.is_dir():
        raise StoreError(
            f"the folder {folder.parent} of the annotation store is missing: mount or create it"
        )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(f"the annotation store {folder} cannot be created: {error}") from error
    return Database(folder / FILE, FORMAT)
