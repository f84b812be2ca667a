"""A full disk is called by its name: in the answer, on the page, in the log."""

import errno
import os

import pytest

from backend.errors import code_and_status, sentence

pytestmark = pytest.mark.security

EVENT = {"action": "ANNOTATION_CREATED", "project": {"id": 1}, "task": {"id": 2}}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_an_event_that_cannot_be_kept_says_why(make_backend, monkeypatch, caplog, number):
    backend = make_backend(redis_url="redis://127.0.0.1:1", webhook_secret="hush-hush-webhook")

    def full(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    body = EVENT | {"annotation": {"id": 3, "task": 2, "result": []}}
    answer = backend.client.post("/k/hush-hush-webhook/webhook", json=body)
    assert (answer.status_code, answer.json["error"]["code"]) == (507, "disk_full")
    assert "DYNAMITE_STATE_DIR" in answer.status
    assert "is full" in backend.client.get("/").text
    assert "is full" in caplog.text
    assert "Traceback" not in caplog.text
    assert not list((backend.settings.state_dir / "spool").glob("*"))  # no half of an event


def test_other_errors_of_the_disk_are_none():
    error = OSError(errno.EIO, os.strerror(errno.EIO))
    assert code_and_status(error) == ("internal_error", 500)
    assert "full" not in sentence(error)
