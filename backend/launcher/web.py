"""The web process: gunicorn with threads, one worker, weights loaded before the port opens.

Run as ``python -m backend.launcher.web`` with the settings in the environment; the launcher does.
"""

import gc
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.errors import AppImportError  # type: ignore[import-untyped]
from gunicorn.sock import TCP6Socket, TCPSocket  # type: ignore[import-untyped]
from gunicorn.workers.gthread import (  # type: ignore[import-untyped]
    _DEFER,
    TConn,
    ThreadWorker,
)

from backend.logs import log_from
from backend.settings import Settings
from backend.settings import settings as settings_module
from dynamite.errors import DynamiteError
from dynamite.lifeline import die_with_parent

if TYPE_CHECKING:
    from flask import Flask


SPARE_THREADS = 8
"""Threads beyond those that may wait for the model: /health and /setup always find one."""

SILENCE_SECONDS = 0.05
"""How long a new connection may hold a thread before it says something."""

LOAD_FAILED = 4
"""Status of a worker that raised ``AppImportError``."""


class LateListener(ThreadWorker):  # type: ignore[misc]
    """A worker that opens the port itself, once the application and its weights are loaded.

    gunicorn's master would open it first, and callers would wait on a backend that cannot answer;
    Label Studio gives up on /health after one second.
    """

    def load_wsgi(self) -> None:
        """Load the application, then listen.

        What has been loaded stays, so no garbage collection need look at it again: one of all
        400,000 objects stops every thread for 220 ms.
        """
        die_with_parent(self.ppid)
        try:
            super().load_wsgi()
            gc.collect()
            gc.freeze()
            settings = self.app.settings
            family = TCP6Socket if ":" in settings.host else TCPSocket
            self.sockets = [family((settings.host, settings.port), self.cfg, self.log)]
        except (DynamiteError, OSError) as error:
            raise AppImportError(f"Error: {error}") from error

    def handle(self, conn: TConn) -> object:
        """Answer a request; a connection that stays silent waits without holding a thread."""
        if not conn.initialized and not conn.wait_for_data(SILENCE_SECONDS):
            return _DEFER
        return super().handle(conn)


class Web(BaseApplication):  # type: ignore[misc]
    """Our application, configured from the settings instead of gunicorn's command line."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """One process, many threads, no port of its own; kept-alive connections for the proxy."""
        control = Path(self.settings.socket_path).with_name("web.sock")
        values: dict[str, Any] = {
            "bind": f"unix:{control}",
            "workers": 1,
            "threads": self.settings.threads + SPARE_THREADS,
            "worker_class": LateListener,
            "timeout": 0,  # a long encode of a huge photo is no reason to kill the process
            "graceful_timeout": 8,
            "keepalive": 30,
            "loglevel": "warning",
            "control_socket_disable": True,
            "limit_request_line": 2048,
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> "Flask":
        """Build the application in the worker: CUDA must not be initialized before the fork."""
        from backend.composition import open_backend  # noqa: PLC0415

        return open_backend(self.settings).app


def main() -> None:
    """Serve until told to stop."""
    try:
        settings = settings_module.load()
    except DynamiteError as error:
        sys.exit(f"Error: {error}")
    log_from(settings.log_level)
    logging.getLogger("gunicorn.error").addFilter(says_something_new)
    Web(settings).run()


def says_something_new(record: logging.LogRecord) -> bool:
    """Leave out how gunicorn's master ends after a worker has said why it cannot start."""
    words = record.getMessage()
    told = ("Shutting down: Master", "Reason: App failed to load.")
    return not (words.startswith(told) or words.endswith(f"exited with code {LOAD_FAILED}."))


if __name__ == "__main__":
    main()
