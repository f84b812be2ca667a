"""What can be asked of the store."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from training.annotation_store.schema import StoreError, connect, described
from training.annotation_store.values import AcceptedAnnotation, Rejection, images_from_json

FILE = "annotations.sqlite"


def is_there(folder: Path) -> bool:
    """Whether a store has been begun in a folder."""
    return (folder / FILE).is_file()


class Reading:
    """The half of the store that changes nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._database = connect(folder / FILE)

    def image_path(self, digest: str) -> Path:
        """Where the image of that digest is."""
        return self.folder / "images" / digest[:2] / digest

    def annotations(self, projects: Sequence[int] | None = None) -> list[AcceptedAnnotation]:
        """All that are not deleted, of some projects or of all, by id."""
        rows = self._ask("SELECT * FROM annotations WHERE NOT deleted ORDER BY 1")
        return [_entry(row) for row in rows if projects is None or row["project"] in projects]

    def annotation(self, annotation_id: int) -> AcceptedAnnotation | None:
        """One of them."""
        rows = self._ask(
            "SELECT * FROM annotations WHERE annotation = ? AND NOT deleted", annotation_id
        )
        return _entry(rows[0]) if rows else None

    def annotations_by_task(self, project: int) -> dict[int, set[int]]:
        """The ids of a project's annotations, by task."""
        return _by_task(
            self._ask(
                "SELECT task, annotation FROM annotations WHERE project = ? AND NOT deleted",
                project,
            )
        )

    def set_aside_by_task(self, project: int) -> dict[int, set[int]]:
        """The ids of a project's annotations of which something was set aside, by task."""
        return _by_task(
            self._ask("SELECT task, annotation FROM rejected WHERE project = ?", project)
        )

    def projects(self) -> list[int]:
        """The projects that something was accepted in."""
        rows = self._ask("SELECT DISTINCT project FROM annotations WHERE NOT deleted ORDER BY 1")
        return [row[0] for row in rows]

    def tasks(self, project: int) -> dict[int, str]:
        """The state of each task of a project when it was last compared with Label Studio."""
        rows = self._ask("SELECT task, updated_at FROM tasks WHERE project = ?", project)
        return {row[0]: row[1] for row in rows}

    def rejected(self) -> list[dict[str, Any]]:
        """What was set aside: annotation, region, project, task, updated_at, code, detail."""
        rows = self._ask("SELECT * FROM rejected ORDER BY annotation, region")
        return [dict(row) for row in rows]

    def rejections(self, annotation_id: int) -> list[Rejection]:
        """What was set aside of one annotation, in the order in which it was."""
        rows = self._ask(
            "SELECT code, detail, region FROM rejected WHERE annotation = ? ORDER BY rowid",
            annotation_id,
        )
        return [Rejection(*row) for row in rows]

    def incomplete(self) -> set[int]:
        """The annotations of which an object was set aside; a mask without a pixel is none."""
        rows = self._ask("SELECT DISTINCT annotation FROM rejected WHERE code != 'empty_mask'")
        return {row[0] for row in rows}

    def waiting(self) -> list[tuple[dict[str, Any], str]]:
        """The events kept to be tried again, each with the reason."""
        rows = self._ask("SELECT event, reason FROM waiting ORDER BY rowid")
        return [(json.loads(row[0]), row[1]) for row in rows]

    def count_waiting(self) -> tuple[int, str]:
        """How many events are kept to be tried again, and why the last one is; empty if none."""
        ((count, reason),) = self._ask(
            "SELECT COUNT(*), (SELECT reason FROM waiting ORDER BY rowid DESC LIMIT 1) FROM waiting"
        )
        return count, reason or ""

    def count_rejected(self) -> tuple[int, str]:
        """How much was set aside, and why the last was; empty if nothing."""
        ((count, reason),) = self._ask(
            "SELECT COUNT(*), (SELECT code || ': ' || detail FROM rejected "
            "ORDER BY rowid DESC LIMIT 1) FROM rejected"
        )
        return count, reason or ""

    def identity(self, project: int) -> str | None:
        """When a project was made, if that is known: another may have its number elsewhere."""
        rows = self._ask("SELECT created_at FROM projects WHERE project = ?", project)
        return str(rows[0][0]) if rows else None

    def sites(self) -> set[str]:
        """The addresses at which projects of this store have been seen."""
        return {str(row[0]) for row in self._ask("SELECT url FROM sites")}

    def change(self) -> int:
        """The number of the last change; changes count from 1."""
        return int(self._ask("SELECT change FROM counter")[0][0])

    def new_since_training(self, line: str, projects: Sequence[int]) -> int:
        """How many annotations that count changed since the last training of a line."""
        trained = self._ask("SELECT change FROM trained WHERE line = ?", line)
        rows = self._ask(
            "SELECT project FROM annotations "
            "WHERE change > ? AND NOT deleted AND NOT cancelled AND images != '[]'",
            trained[0][0] if trained else 0,
        )
        return sum(found[0] in projects for found in rows)

    def _ask(self, query: str, *values: object) -> list[sqlite3.Row]:
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error) -> StoreError:
        return StoreError(f"the annotation store {self.folder} fails: {described(error)}")


def _entry(row: sqlite3.Row) -> AcceptedAnnotation:
    return AcceptedAnnotation(
        annotation_id=row["annotation"],
        task=row["task"],
        project=row["project"],
        updated_at=row["updated_at"],
        annotator=row["annotator"],
        ground_truth=bool(row["ground_truth"]),
        cancelled=bool(row["cancelled"]),
        images=images_from_json(row["images"]),
    )


def _by_task(rows: Iterable[sqlite3.Row]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for task, annotation in rows:
        found.setdefault(task, set()).add(annotation)
    return found
