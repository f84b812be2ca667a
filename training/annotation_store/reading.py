"""Queries of the store."""

import sqlite3
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from training.annotation_store.keys import AnnotationKey, ProjectKey
from training.annotation_store.schema import open_database
from training.annotation_store.values import AcceptedAnnotation, Rejection, images_from_json


class Reading:
    """The half of the store that changes nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._database = open_database(folder)

    def image_path(self, digest: str) -> Path:
        """Return where the image with that digest is kept."""
        return self.folder / "images" / digest[:2] / digest

    def annotations(
        self, projects: Collection[ProjectKey] | None = None
    ) -> list[AcceptedAnnotation]:
        """Return all annotations that are not deleted, of some projects or of all, by key."""
        rows = self._database.ask("SELECT * FROM annotations WHERE NOT deleted ORDER BY 1, 2")
        found = [_annotation(row) for row in rows]
        return [one for one in found if projects is None or one.project_key in projects]

    def annotation(self, key: AnnotationKey) -> AcceptedAnnotation | None:
        """Return one annotation; None if it is unknown or deleted."""
        row = self._find(key)
        return None if row is None or row["deleted"] else _annotation(row)

    def annotations_by_task(self, project: ProjectKey) -> dict[int, set[int]]:
        """Return the numbers of a project's annotations, by the number of their task."""
        return _by_task(
            self._database.ask(
                "SELECT task, annotation FROM annotations "
                "WHERE source = ? AND project = ? AND NOT deleted",
                *project,
            )
        )

    def set_aside_by_task(self, project: ProjectKey) -> dict[int, set[int]]:
        """Return the numbers of a project's annotations with rejections, by task."""
        return _by_task(
            self._database.ask(
                "SELECT task, annotation FROM rejected WHERE source = ? AND project = ?", *project
            )
        )

    def projects(self) -> list[ProjectKey]:
        """Return the projects with accepted annotations."""
        rows = self._database.ask(
            "SELECT DISTINCT source, project FROM annotations WHERE NOT deleted ORDER BY 1, 2"
        )
        return [ProjectKey(*row) for row in rows]

    def rejected(self) -> list[dict[str, Any]]:
        """Return all rejections.

        Each has source, annotation, region, project, task, updated_at, code and detail.
        """
        rows = self._database.ask("SELECT * FROM rejected ORDER BY source, annotation, region")
        return [dict(row) for row in rows]

    def rejections(self, key: AnnotationKey) -> list[Rejection]:
        """Return the rejections of one annotation, in the order in which they were made."""
        rows = self._database.ask(
            "SELECT code, detail, region FROM rejected "
            "WHERE source = ? AND annotation = ? ORDER BY rowid",
            *key,
        )
        return [Rejection(*row) for row in rows]

    def incomplete(self) -> set[AnnotationKey]:
        """Return the annotations that lost an object; a mask without a pixel is no object."""
        rows = self._database.ask(
            "SELECT DISTINCT source, annotation FROM rejected WHERE code != 'empty_mask'"
        )
        return {AnnotationKey(*row) for row in rows}

    def count_rejected(self) -> tuple[int, str]:
        """Return how many rejections there are, and the reason of the last; empty if none."""
        ((count, reason),) = self._database.ask(
            "SELECT COUNT(*), (SELECT code || ': ' || detail FROM rejected "
            "ORDER BY rowid DESC LIMIT 1) FROM rejected"
        )
        return count, reason or ""

    def rejected_as(self, code: str) -> list[tuple[ProjectKey, int]]:
        """Return project and task of the annotations rejected with a code, the last one first."""
        rows = self._database.ask(
            "SELECT source, project, task FROM rejected WHERE code = ? ORDER BY rowid DESC", code
        )
        return [(ProjectKey(source, project), task) for source, project, task in rows]

    def change(self) -> int:
        """Return the number of the last change; changes count from 1."""
        return int(self._database.ask("SELECT change FROM counter")[0][0])

    def project_changes(self) -> dict[ProjectKey, int]:
        """Return the number of the last change of each project, deletions included."""
        rows = self._database.ask(
            "SELECT source, project, MAX(change) FROM annotations GROUP BY source, project"
        )
        return {ProjectKey(source, project): change for source, project, change in rows}

    def project_change(self, project: ProjectKey) -> int:
        """Return the number of the last change of a project; 0 if it has none."""
        return self.project_changes().get(project, 0)

    def new_since_training(self, line: str, projects: Collection[ProjectKey]) -> int:
        """Count the annotations with objects that changed since the last training of a line."""
        trained = self._database.ask("SELECT change FROM trained WHERE line = ?", line)
        rows = self._database.ask(
            "SELECT source, project FROM annotations "
            "WHERE change > ? AND NOT deleted AND NOT cancelled AND images != '[]'",
            trained[0][0] if trained else 0,
        )
        return sum(ProjectKey(*row) in projects for row in rows)

    def _find(self, key: AnnotationKey) -> sqlite3.Row | None:
        rows = self._database.ask(
            "SELECT * FROM annotations WHERE source = ? AND annotation = ?", *key
        )
        return rows[0] if rows else None


def _annotation(row: sqlite3.Row) -> AcceptedAnnotation:
    return AcceptedAnnotation(
        source=row["source"],
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
