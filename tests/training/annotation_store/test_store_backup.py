"""A store is copied as of one moment, whatever is written and deleted meanwhile."""

import sqlite3
import threading

import pytest

from tests.training.annotation_store.builders import SOURCE, annotation, photo
from training.annotation_store import AnnotationKey, AnnotationStore, backup
from training.annotation_store.backup import copy_store


@pytest.fixture
def folders(tmp_path):
    """A store with two annotations, and an empty folder."""
    with AnnotationStore(tmp_path / "store") as store:
        for number in 1, 2:
            store.apply(annotation(number, store.put_image(photo(number))))
    (tmp_path / "copy").mkdir()
    return tmp_path / "store", tmp_path / "copy"


def test_a_change_that_is_being_written_is_waited_for(folders):
    store, copy = folders
    writer = sqlite3.connect(
        store / "annotations.sqlite", isolation_level=None, check_same_thread=False
    )
    writer.execute("PRAGMA cache_size = 1")  # pages reach the file before the end of the change
    writer.execute("BEGIN IMMEDIATE")
    for row in range(300):
        values = (SOURCE, 1000 + row, 1, 1, "x" * 2000, "r", "d")
        writer.execute(
            "INSERT INTO rejected (source, annotation, project, task, updated_at, code, detail) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            values,
        )
    end = threading.Timer(0.5, writer.execute, ("COMMIT",))
    end.start()
    assert copy_store(store, copy) == []
    end.join()
    writer.close()
    with AnnotationStore(copy) as copied:
        assert copied.count_rejected() == (300, "r: d")
        assert len(copied.annotations()) == 2


def test_an_annotation_that_is_deleted_amid_the_copying(folders, monkeypatch):
    store, copy = folders
    step, digests = backup.copy_database, []

    def copy_and_delete(source, target):
        step(source, target)
        if not digests:
            with AnnotationStore(store) as live:
                digests.append(live.annotations()[0].images[0].digest)
                live.delete(AnnotationKey(SOURCE, 1))
                live.image_path(digests[0]).unlink()

    monkeypatch.setattr(backup, "copy_database", copy_and_delete)
    assert copy_store(store, copy) == []
    with AnnotationStore(copy) as copied:
        assert [one.annotation_id for one in copied.annotations()] == [2]
        assert len([p for p in (copy / "images").rglob("*") if p.is_file()]) == 1
