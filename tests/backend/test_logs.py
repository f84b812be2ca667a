"""Log lines: one record is one line, and no secret stands in it."""

import logging

import pytest

from backend.logs import SafeFormatter
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
