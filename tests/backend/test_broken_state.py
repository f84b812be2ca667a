"""Broken files of the state folder cost what they hold, never more: the process goes on."""

import json

import pytest
from hypothesis import given

from backend.jobs.event_spool import Spool
from backend.label_studio.access import FILE, Access, keep, known_access
from backend.settings import load
from dynamite.adaptation import Adaptation
from dynamite.errors import CheckpointError
from tests.hostile import broken, broken_json, ends_well, examples
from training.memory.kept import KeptMemories, Record

pytestmark = pytest.mark.security

DEEP = (b"[" * 5000, b'{"a":' * 5000, b"1" * 5000, b'"\\ud800"', b"NaN", b"\xff")


def as_bytes(data):
    return data if isinstance(data, bytes) else json.dumps(data).encode()


def test_what_setup_has_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load(state_dir=tmp_path)
    keep(Access("http://127.0.0.1:8080", "token"), settings)
    good = (tmp_path / FILE).read_bytes()

    @examples(300)
    @given(broken([good], DEEP) | broken_json([json.loads(good)]))
    def check(data):
        (tmp_path / FILE).write_bytes(as_bytes(data))
        found = known_access(settings)
        assert all(one is None or isinstance(one, str) for one in (found.url, found.token))

    check()


def test_events_that_wait(tmp_path):
    delivered = []
    spool = Spool(tmp_path, delivered.append, every=3600)

    @examples(300)
    @given(broken([b'{"body": {"action": "x"}, "verified": true}', b"[]", b"null"], DEEP))
    def check(data):
        delivered.clear()
        (tmp_path / "0.json").write_bytes(data)
        spool.put({"whole": True})
        spool._drain()
        assert delivered[-1] == {"whole": True}
        assert all(isinstance(event, dict) for event in delivered)
        assert len(spool) == 0

    check()
    spool.close()


def test_records_and_weights_of_project_memories(tmp_path):
    kept = KeptMemories(tmp_path)
    record = Record(
        source="label-studio",
        project=3,
        change=1,
        weights="a",
        model_version="lite",
        images=2,
        made="2026-11-30T10:05:00",
        words="on",
        digest="d" * 8,
        is_on=True,
    )
    adaptation = Adaptation({}, "lite")
    kept.write(record, adaptation.save)
    path = kept.weights_path(record)
    (text,) = tmp_path.glob("*.json")
    good, weights = text.read_bytes(), path.read_bytes()

    @examples(300)
    @given(broken([good], DEEP) | broken_json([json.loads(good)]), broken([weights], DEEP))
    def check(data, tensors):
        text.write_bytes(as_bytes(data))
        assert all(isinstance(one, Record) for one in kept.records())
        path.write_bytes(tensors)
        ends_well(lambda: Adaptation.load(path), CheckpointError)

    check()
