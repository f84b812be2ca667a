"""The file beside the store: its first format is read for ever, newer ones are left alone."""

import sqlite3
from pathlib import Path

import pytest

from backend.cvat.collect.bookkeeping import Bookkeeping, KnownFrame
from training.annotation_store import StoreError

FIRST = (Path(__file__).parent / "data" / "bookkeeping-1.sql").read_text()


@pytest.fixture
def path(tmp_path):
    with sqlite3.connect(tmp_path / "cvat.sqlite") as database:
        database.executescript(FIRST)
    database.close()
    return tmp_path / "cvat.sqlite"


def test_bookkeeping_of_the_first_format_is_read(path):
    with Bookkeeping(path) as bookkeeping:
        assert bookkeeping.waiting() == [(("job", 7), "no answer")]
        assert (bookkeeping.tasks(), bookkeeping.created_at(4)) == ({4: 1}, "2026-11-20")
        assert bookkeeping.job_state(7) == "completed 3"
        assert bookkeeping.frames(7) == {0: KnownFrame("s", "ab" * 32)}
        assert bookkeeping.sites() == {"http://localhost:8080"}


def test_bookkeeping_of_a_newer_format_is_refused(path):
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 2")
    database.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="format version 2, this release reads version 1 only"):
        Bookkeeping(path)
    assert path.read_bytes() == before
