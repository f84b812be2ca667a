"""Takes note of errors that the caller of a request does not see."""

import logging

from backend import request_id
from backend.errors import code_and_status, sentence
from backend.serving.error_journal import ErrorJournal

log = logging.getLogger(__name__)

REJECTED = "model_rejected"
"""Code of a model version that cannot be used."""


class ErrorReports:
    """Writes errors to the log and to the journal of the status page, with the request's id."""

    def __init__(self, journal: ErrorJournal) -> None:
        self._journal = journal

    def report(self, error: Exception) -> None:
        """Note an error under its code."""
        code, _ = code_and_status(error)
        unexpected = code == "internal_error"
        log.error("%s", sentence(error), exc_info=error if unexpected else None)
        self._journal.error(code, sentence(error), request_id.current())

    def alarm(self, words: str) -> None:
        """Note that a new version of the model cannot be used."""
        log.error("%s", words)
        self._journal.error(REJECTED, words)
