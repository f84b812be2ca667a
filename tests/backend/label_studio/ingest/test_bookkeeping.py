"""The file beside the store: what it keeps, and what it says when it cannot be read."""

import sqlite3
from pathlib import Path

import pytest

from backend.label_studio.ingest.bookkeeping import Bookkeeping, bookkeeping_path
from backend.settings import load
from backend.settings.folders import store_folder
from training.annotation_store import StoreError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "berlin.sqlite"


@pytest.fixture
def bookkeeping(path):
    with Bookkeeping(path) as found:
        yield found


def test_it_lies_beside_the_store_and_is_named_after_its_label_studio(tmp_path):
    settings = load(state_dir=tmp_path, label_studio_name="berlin")
    path = bookkeeping_path(settings)
    assert path == store_folder(settings).parent / "berlin.sqlite"
    with Bookkeeping(path) as bookkeeping:
        assert bookkeeping.source == "berlin"


def test_what_is_noted_is_there_after_a_restart(bookkeeping, path):
    bookkeeping.wait(({"body": 1}, "an image is away"))
    bookkeeping.note_compared(5, 3, "as it was", 1)
    bookkeeping.note_created_at(3, "2026")
    bookkeeping.note_site("http://here")
    with Bookkeeping(path) as again:
        assert again.count_waiting() == (1, "an image is away")
        assert again.compared(3) == {5: "as it was"}
        assert again.created_at(3) == "2026"
        assert again.sites() == {"http://here"}


def test_events_wait_until_they_are_dealt_with(bookkeeping):
    event = {"body": {"action": "x"}}
    bookkeeping.wait((event, "no Label Studio"))
    bookkeeping.wait((event, "still none"))
    assert bookkeeping.waiting() == [(event, "still none")]
    bookkeeping.stop_waiting(event)
    assert bookkeeping.waiting() == []
    assert bookkeeping.count_waiting() == (0, "")


def test_a_damaged_file_is_to_be_moved_away(path):
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match=f"{path} cannot be opened: .*; move it away"):
        Bookkeeping(path)


def test_a_file_of_another_format_is_not_touched(bookkeeping, path):
    bookkeeping._database.connection.execute("PRAGMA user_version = 4")
    bookkeeping.close()
    with pytest.raises(StoreError, match="format version 4, this release reads version 1 only"):
        Bookkeeping(path)


def test_a_transaction_that_ended_survives_a_power_cut(bookkeeping):
    ((level,),) = bookkeeping._database.ask("PRAGMA synchronous")
    assert level == 2, "FULL"


def test_bookkeeping_of_the_first_format_is_read(tmp_path):
    path = tmp_path / "label_studio.sqlite"
    with sqlite3.connect(path) as database:
        database.executescript((Path(__file__).parent / "data" / "bookkeeping-1.sql").read_text())
    database.close()
    with Bookkeeping(path) as bookkeeping:
        assert bookkeeping.waiting() == [({"action": "ANNOTATION_CREATED", "id": 5}, "no answer")]
        assert bookkeeping.compared(1) == {4: "2026"}
        assert bookkeeping.created_at(1) == "2026-11-20"
        assert bookkeeping.sites() == {"http://localhost:8080"}
