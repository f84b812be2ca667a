"""How our processes log: one line per record on standard error, with time and level."""

import logging
import os
import sys
from collections.abc import Iterable

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
        return printable(super().formatMessage(record))

    def formatException(self, ei: object) -> str:
        """Return a traceback, indented."""
        lines = super().formatException(ei).split("\n")  # type: ignore[arg-type]
        return "\n".join("    " + printable(line) for line in lines)


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


def log_from(level: str, secrets: Iterable[str] = ()) -> None:
    """Log records of ``level`` and above without secrets, unless logging is already configured."""
    handler = logging.StreamHandler()
    colored = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    handler.setFormatter(SafeFormatter(secrets, colored=colored))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger("rq.worker").setLevel(logging.WARNING)  # its INFO lines report every job
