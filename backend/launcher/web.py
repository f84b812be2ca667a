"""The web process: gunicorn with threads, one worker, weights loaded before the port opens.

The launcher runs it as ``python -m backend.launcher.web``, with the settings in the environment.
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

from backend.launcher.private_files import OTHERS
from backend.logs import log_from
from backend.settings import Settings, load
from dynamite.errors import DynamiteError
from dynamite.lifeline import die_with_parent

if TYPE_CHECKING:
    from flask import Flask


SPARE_THREADS = 8
"""Threads beyond those that may wait for the model, so that /health and /setup always get one."""

FIRST_BYTE_SECONDS = 0.05
"""How long a new connection may occupy a thread before it sends anything."""

LOAD_FAILED = 4
"""Exit status of a worker that raised ``AppImportError``."""


class LateListeningWorker(ThreadWorker):  # type: ignore[misc]
    """A worker that opens the port itself, after the application and its weights are loaded.

    gunicorn's master would open it first, and clients would wait for a backend that cannot answer
    yet; Label Studio gives up on /health after one second.
    """

    def load_wsgi(self) -> None:
        """Load the application, then listen.

        Loaded objects stay, so freeze them: a garbage collection over all 400,000 would stop every
        thread for 220 ms.
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
        """Handle a request; a silent connection waits without occupying a thread."""
        if not conn.initialized and not conn.wait_for_data(FIRST_BYTE_SECONDS):
            return _DEFER
        return super().handle(conn)


class WebApplication(BaseApplication):  # type: ignore[misc]
    """gunicorn's application, configured from our settings instead of its command line."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Use one process with many threads and no port; keep connections alive for proxies."""
        control = Path(self.settings.socket_path).with_name("web.sock")
        values: dict[str, Any] = {
            "bind": f"unix:{control}",
            "workers": 1,
            "threads": self.settings.threads + SPARE_THREADS,
            "worker_class": LateListeningWorker,
            "timeout": 0,  # do not kill the process during a long encode
            "graceful_timeout": 8,
            "keepalive": 30,
            "loglevel": "warning",
            "control_socket_disable": True,
            "limit_request_line": 2048,
            "umask": OTHERS,  # of the control socket
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> "Flask":
        """Build the application in the worker: CUDA must not be initialized before the fork."""
        from backend.composition import open_backend  # noqa: PLC0415

        return open_backend(self.settings).app


def main() -> None:
    """Serve until stopped."""
    try:
        settings = load()
    except DynamiteError as error:
        sys.exit(f"Error: {error}")
    log_from(settings.log_level)
    logging.getLogger("gunicorn.error").addFilter(is_informative)
    WebApplication(settings).run()


def is_informative(record: logging.LogRecord) -> bool:
    """Drop gunicorn's lines about a failed start, which the worker has already explained."""
    message = record.getMessage()
    known = ("Shutting down: Master", "Reason: App failed to load.")
    return not (message.startswith(known) or message.endswith(f"exited with code {LOAD_FAILED}."))


if __name__ == "__main__":
    main()
