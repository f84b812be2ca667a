"""What only the comparison with one Label Studio needs, in an SQLite file beside the store.

Losing the file costs one full comparison, never an annotation.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from backend.retraining.bookkeeping import SITES, CollectorFile
from backend.settings import Settings
from backend.settings.folders import store_folder
from training.annotation_store import FileFormat

TABLES = """
CREATE TABLE IF NOT EXISTS waiting (event TEXT PRIMARY KEY, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS compared (
    task INTEGER PRIMARY KEY, project INTEGER NOT NULL, state TEXT NOT NULL, change INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS compared_by_project ON compared (project);
CREATE INDEX IF NOT EXISTS compared_by_change ON compared (change);
CREATE TABLE IF NOT EXISTS projects (project INTEGER PRIMARY KEY, created_at TEXT NOT NULL);
"""

FORMAT = FileFormat(
    name="the bookkeeping of Label Studio",
    version=1,
    tables=TABLES + SITES,
    remedy=(
        "move it away: `dynamite sync --project N` compares everything again and writes a new one"
    ),
)


def bookkeeping_path(settings: Settings) -> Path:
    """Return the file of the Label Studio that this backend serves; named after it."""
    return store_folder(settings).parent / f"{settings.label_studio_name}.sqlite"


class Bookkeeping(CollectorFile):
    """Events that wait, compared tasks, and what identifies a Label Studio and its projects.

    See ``CollectorFile`` for sharing the file, and for what its methods raise.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, FORMAT)

    def wait(self, *events: tuple[dict[str, Any], str]) -> None:
        """Keep events that cannot be processed now, each with its reason, to be tried again."""
        rows = [(_canonical(event), reason) for event, reason in events]
        with self._database.transaction() as database:
            database.executemany("INSERT OR REPLACE INTO waiting VALUES (?, ?)", rows)

    def stop_waiting(self, event: dict[str, Any]) -> None:
        """Drop an event that has been processed or given up."""
        self._write("DELETE FROM waiting WHERE event = ?", _canonical(event))

    def waiting(self) -> list[tuple[dict[str, Any], str]]:
        """Return the events that wait, each with its reason; the latest attempt comes last."""
        rows = self._database.ask("SELECT event, reason FROM waiting ORDER BY rowid")
        return [(json.loads(row[0]), row[1]) for row in rows]

    def count_waiting(self) -> tuple[int, str]:
        """Return how many events wait, and the reason of the last; empty if none."""
        ((count, reason),) = self._database.ask(
            "SELECT COUNT(*), (SELECT reason FROM waiting ORDER BY rowid DESC LIMIT 1) FROM waiting"
        )
        return count, reason or ""

    def note_compared(self, task: int, project: int, state: str, change: int) -> None:
        """Remember the state in which a task was compared, and the store's last change then."""
        values = (task, project, state, change)
        self._write("INSERT OR REPLACE INTO compared VALUES (?, ?, ?, ?)", *values)

    def compared(self, project: int) -> dict[int, str]:
        """Return the state of each compared task of a project."""
        rows = self._database.ask("SELECT task, state FROM compared WHERE project = ?", project)
        return {row[0]: row[1] for row in rows}

    def forget_compared_tasks(self, tasks: Iterable[int]) -> None:
        """Have tasks compared again."""
        with self._database.transaction() as database:
            rows = [(task,) for task in set(tasks)]
            database.executemany("DELETE FROM compared WHERE task = ?", rows)

    def forget_compared_after(self, change: int) -> None:
        """Have the tasks compared again that were compared after a change of the store.

        A store whose last change is an earlier one was restored from a backup.
        """
        if self._database.ask("SELECT 1 FROM compared WHERE change > ? LIMIT 1", change):
            self._write("DELETE FROM compared WHERE change > ?", change)

    def forget_compared_project(self, project: int) -> None:
        """Have all tasks of a project compared again."""
        self._write("DELETE FROM compared WHERE project = ?", project)

    def note_created_at(self, project: int, created_at: str) -> None:
        """Remember when a project was created, unless that is known."""
        self._write("INSERT OR IGNORE INTO projects VALUES (?, ?)", project, created_at)

    def created_at(self, project: int) -> str | None:
        """Return when a project was created; None if unknown."""
        rows = self._database.ask("SELECT created_at FROM projects WHERE project = ?", project)
        return str(rows[0][0]) if rows else None

    def forget_created_at(self, project: int) -> None:
        """Let another project have the number."""
        self._write("DELETE FROM projects WHERE project = ?", project)


def _canonical(event: dict[str, Any]) -> str:
    return json.dumps(event, sort_keys=True)
