"""What only the comparison with one CVAT needs, in an SQLite file beside the store.

Losing the file costs one full comparison, never an annotation.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from backend.retraining.bookkeeping import SITES, CollectorFile
from backend.settings import Settings
from backend.settings.folders import store_folder
from training.annotation_store import FileFormat

TABLES = """
CREATE TABLE IF NOT EXISTS waiting (
    kind TEXT NOT NULL, number INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (kind, number)
);
CREATE TABLE IF NOT EXISTS tasks (
    task INTEGER PRIMARY KEY, project INTEGER NOT NULL, created_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS jobs (
    job INTEGER PRIMARY KEY, state TEXT NOT NULL, change INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS frames (
    job INTEGER NOT NULL, frame INTEGER NOT NULL, state TEXT NOT NULL, digest TEXT NOT NULL,
    change INTEGER NOT NULL, PRIMARY KEY (job, frame)
);
"""

FORMAT = FileFormat(
    name="the bookkeeping of CVAT",
    version=1,
    tables=TABLES + SITES,
    remedy="move it away: `dynamite sync --cvat-project N` compares everything again",
)


class KnownFrame(NamedTuple):
    """A stored frame: the state of its shapes, and the digest of its file as CVAT hands it out."""

    state: str
    digest: str


Hint = tuple[str, int]
"""What to look into: "job", "task" or "project", and its number."""


def bookkeeping_path(settings: Settings) -> Path:
    """Return the file of the CVAT that this backend serves; named after it."""
    return store_folder(settings).parent / f"{settings.cvat_name}.sqlite"


class Bookkeeping(CollectorFile):
    """Hints that wait, the state in which jobs and frames were stored, and known tasks.

    See ``CollectorFile`` for sharing the file, and for what its methods raise.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, FORMAT)

    def wait(self, hint: Hint, reason: str) -> None:
        """Keep a hint that cannot be looked into now."""
        self._write("INSERT OR REPLACE INTO waiting VALUES (?, ?, ?)", *hint, reason)

    def stop_waiting(self, hint: Hint) -> None:
        """Drop a hint that has been looked into."""
        self._write("DELETE FROM waiting WHERE kind = ? AND number = ?", *hint)

    def waiting(self) -> list[tuple[Hint, str]]:
        """Return the hints that wait, each with its reason; the latest comes last."""
        rows = self._database.ask("SELECT kind, number, reason FROM waiting ORDER BY rowid")
        return [((row[0], row[1]), row[2]) for row in rows]

    def note_task(self, task: int, project: int, created_at: str) -> None:
        """Remember a task, and where it belongs now."""
        self._write("INSERT OR REPLACE INTO tasks VALUES (?, ?, ?)", task, project, created_at)

    def created_at(self, task: int) -> str | None:
        """Return when a task was created; None if unknown."""
        rows = self._database.ask("SELECT created_at FROM tasks WHERE task = ?", task)
        return str(rows[0][0]) if rows else None

    def tasks(self) -> dict[int, int]:
        """Return the known tasks, each with its project; 0 for none."""
        return {row[0]: row[1] for row in self._database.ask("SELECT task, project FROM tasks")}

    def forget_task(self, task: int) -> None:
        """Forget a task that is gone."""
        self._write("DELETE FROM tasks WHERE task = ?", task)

    def note_job(self, job: int, state: str, change: int) -> None:
        """Remember the state in which a job was stored, and the store's last change then."""
        self._write("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?)", job, state, change)

    def job_state(self, job: int) -> str | None:
        """Return the state in which a job was stored; None if it must be looked into."""
        rows = self._database.ask("SELECT state FROM jobs WHERE job = ?", job)
        return str(rows[0][0]) if rows else None

    def note_frame(self, job: int, frame: int, known: KnownFrame, change: int) -> None:
        """Remember the state in which a frame was stored, and the store's last change then."""
        statement = "INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?, ?)"
        self._write(statement, job, frame, *known, change)

    def frames(self, job: int) -> dict[int, KnownFrame]:
        """Return what is known of the stored frames of a job."""
        rows = self._database.ask("SELECT frame, state, digest FROM frames WHERE job = ?", job)
        return {row[0]: KnownFrame(row[1], row[2]) for row in rows}

    def forget_frames(self, job: int, frames: Iterable[int]) -> None:
        """Have some frames, and with them their job, looked into again."""
        with self._database.transaction() as database:
            database.execute("DELETE FROM jobs WHERE job = ?", (job,))
            database.executemany(
                "DELETE FROM frames WHERE job = ? AND frame = ?", [(job, one) for one in frames]
            )

    def forget_after(self, change: int) -> None:
        """Have everything looked into again that was stored after a change of the store.

        A store whose last change is an earlier one was restored from a backup.
        """
        for table in ("jobs", "frames"):
            self._write(f"DELETE FROM {table} WHERE change > ?", change)  # noqa: S608
