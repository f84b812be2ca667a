"""Log lines: one record is one line, and no secret stands in it."""

import json
import logging
import threading
from contextvars import copy_context

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend import request_id
from backend.logs import JsonFormatter, SafeFormatter
from backend.settings import load
from backend.settings.secret_words import secret_words

pytestmark = pytest.mark.security

SECRETS = {
    "webhook_secret": "a-long-secret-word",
    "basic_auth_user": "label-studio",
    "basic_auth_password": "pass/word%",
    "label_studio_api_key": "0123456789abcdef",
    "redis_url": "redis://:queue%2Fword@queue:6379/0",
}


def line(message, *args, error=None, secrets=()):
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("x", logging.WARNING, "x.py", 1, message, args, info)
    return SafeFormatter(secrets).format(record)


@pytest.mark.parametrize(
    "odd", ["a\nb", "a\rb", "\x1b[2J", "\x00", "\x7f", "\x85", "\u2028", "\u202e", "\ud800"]
)
def test_a_message_is_one_line_of_printed_characters(odd):
    written = line("task %s", odd)
    assert written.isprintable()
    assert odd not in written
    written.encode()


def test_what_is_printed_stays_as_it_is():
    assert line("5 × “Käse” — 杯 ☕").endswith("WARNING 5 × “Käse” — 杯 ☕")


def test_no_line_of_a_traceback_looks_like_a_record():
    try:
        raise ValueError("2026-01-01 00:00:00,000 ERROR forged\n2026-01-01 ERROR forged\x1b[2J")
    except ValueError as error:
        first, *others = line("it failed", error=error).split("\n")
    assert first.endswith("it failed")
    assert all(other.startswith("    ") and other.isprintable() for other in others)


def test_secrets_are_masked_wherever_they_stand():
    words = secret_words(load(**SECRETS))
    everything = " ".join([*SECRETS.values(), "queue/word", "x/k/a-long-secret-word?"])
    try:
        raise ValueError(everything)
    except ValueError as error:
        written = line("GET /%s", everything, error=error, secrets=words)
    hidden = ("a-long-secret", "pass/word", "0123456789abcdef", "queue%2Fword", "queue/word")
    for secret in hidden:
        assert secret not in written
    for harmless in ("label-studio", "queue:6379"):
        assert harmless in written


def test_short_words_are_no_secrets_to_mask():
    assert secret_words(load(basic_auth_user="a", basic_auth_password="e")) == set()


def as_json(message, *args, error=None, secrets=()):
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("a.logger", logging.WARNING, "x.py", 1, message, args, info)
    written = JsonFormatter(secrets).format(record)
    assert written.isascii() and written.isprintable()
    return json.loads(written)


def test_a_record_as_json_says_when_who_and_what():
    fields = as_json("task %s has no “Käse”", 5)
    assert fields.pop("time").endswith("+00:00")
    assert fields.pop("process") > 1
    assert fields == {
        "level": "warning",
        "logger": "a.logger",
        "message": "task 5 has no “Käse”",
    }


@given(st.text(), st.text(), st.lists(st.text(min_size=1), max_size=3))
def test_json_is_one_line_without_secrets_whatever_is_logged(before, after, secrets):
    secrets.append('a "quoted"\n\\secret')
    words = before + "".join(secrets) + after
    try:
        raise ValueError(words)
    except ValueError as error:
        fields = as_json("%s", words, error=error, secrets=secrets)
    hidden = [word for word in secrets if "…" not in word]
    assert not any(word in fields[name] for name in ("message", "error") for word in hidden)


def test_a_record_of_a_request_carries_its_id_in_both_forms():
    def inside():
        request_id.follow("5f0c-1234")
        assert as_json("it failed")["request_id"] == "5f0c-1234"
        assert line("it failed").endswith("WARNING 5f0c-1234 it failed")

    copy_context().run(inside)
    assert "request_id" not in as_json("it failed")
    assert line("it failed").endswith("WARNING it failed")


@pytest.mark.parametrize("odd", ["short", "a" * 65, "line\nbreak", "<b>bold</b>", None, 5, [], {}])
def test_what_is_no_id_is_not_followed(odd):
    def inside():
        request_id.follow("5f0c-1234")
        request_id.follow_in({"request_id": odd})
        assert request_id.current() == ""
        assert request_id.taken_along() == {}
        request_id.follow_in(odd)
        assert request_id.current() == ""

    copy_context().run(inside)


def test_requests_in_other_threads_have_ids_of_their_own():
    seen = []

    def inside():
        request_id.follow("5f0c-1234")
        other = threading.Thread(target=lambda: seen.append(request_id.current()))
        other.start()
        other.join()
        seen.append(request_id.current())

    copy_context().run(inside)
    assert seen == ["", "5f0c-1234"]


def test_json_on_standard_error(capsys, monkeypatch):
    from backend.logs import log_from

    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    log_from("info", ["hush-hush"], "json")
    logging.getLogger("x").info("a\nhush-hush")
    (written,) = capsys.readouterr().err.splitlines()
    assert json.loads(written)["message"] == "a\n…"


def test_logging_on_standard_error(capsys, monkeypatch):
    from backend.logs import log_from

    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    log_from("info", ["hush-hush"])
    logging.getLogger("x").info("a\nhush-hush")
    assert capsys.readouterr().err.endswith("INFO    a\\n…\n")


def test_errors_are_red_on_a_terminal_alone():
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "lost", (), None)
    assert SafeFormatter(colored=True).format(record).startswith("\x1b[31m")
    assert "\x1b" not in SafeFormatter().format(record)
    record.levelno = logging.WARNING
    assert "\x1b" not in SafeFormatter(colored=True).format(record)
