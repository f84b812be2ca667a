"""How our processes log: one line per record on standard error, as text or JSON.

A record that was made for a request carries its id.
"""

import json
import logging
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from backend import request_id
from backend.settings.secret_words import masked

RED = "\x1b[31m{}\x1b[0m"


class SafeFormatter(logging.Formatter):
    """Writes records that nobody can forge, without secrets.

    Control characters of a message are escaped, so that it stays one line; lines of a traceback are
    indented, so that none looks like a record.

    Args:
        secrets: words that are replaced wherever they stand.
        colored: whether errors are written in red.
    """

    def __init__(self, secrets: Iterable[str] = (), *, colored: bool = False) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")
        self._colored = colored
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        text = masked(super().format(record), self._secrets)
        return RED.format(text) if self._colored and record.levelno >= logging.ERROR else text

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the first line."""
        id_of_request = request_id.current()
        if id_of_request:
            record.message = f"{id_of_request} {record.message}"
        return printable(super().formatMessage(record))

    def formatException(self, ei: object) -> str:
        """Return a traceback, indented."""
        lines = super().formatException(ei).split("\n")  # type: ignore[arg-type]
        return "\n".join("    " + printable(line) for line in lines)


class JsonFormatter(logging.Formatter):
    """Writes each record as a JSON object on one line, without secrets.

    Its fields are ``time`` (UTC), ``level``, ``logger``, ``process`` (its number) and ``message``;
    ``request_id`` where there is one; ``error`` with a traceback.

    Args:
        secrets: words that are replaced wherever they stand.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON, in ASCII."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, object] = {
            "time": time,
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": masked(record.getMessage(), self._secrets),
        }
        if id_of_request := request_id.current():
            fields["request_id"] = id_of_request
        if record.exc_info:
            fields["error"] = masked(self.formatException(record.exc_info), self._secrets)
        return json.dumps(fields)


def printable(text: str) -> str:
    """Return a text with everything escaped that is not printed: control characters and the like.

    >>> printable("a\\nb\\x1b[31m")
    'a\\\\nb\\\\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def log_from(
    level: str, secrets: Iterable[str] = (), form: Literal["text", "json"] = "text"
) -> None:
    """Log records of ``level`` and above without secrets, unless logging is already configured."""
    handler = logging.StreamHandler()
    colored = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    is_json = form == "json"
    handler.setFormatter(
        JsonFormatter(secrets) if is_json else SafeFormatter(secrets, colored=colored)
    )
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger("rq.worker").setLevel(logging.WARNING)  # its INFO lines report every job
