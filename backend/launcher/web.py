"""The web process: gunicorn with threads, one worker, weights loaded before the port opens.

The launcher runs it as ``python -m backend.launcher.web``, with the settings in the environment.
"""

import logging
import sys
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from backend.launcher.preflight import check_password
from backend.launcher.private_files import OTHERS
from backend.launcher.web_worker import PatientWorker
from backend.logs import log_from
from backend.serving.admission import ROOMS
from backend.settings import Settings, load
from backend.settings.log_options import log_options
from dynamite.errors import DynamiteError

if TYPE_CHECKING:
    from flask import Flask

    from backend.composition import Backend

OTHER_CONNECTIONS = 192
"""Connections beyond those that may wait (``Admission``): of browsers, monitoring, slow clients."""

GRACE_SECONDS = 8
"""How long requests that are being answered may take once the port is closed."""

LOAD_FAILED = 4
"""Exit status of a worker that raised ``AppImportError``."""


class Log(Logger):  # type: ignore[misc]
    """gunicorn's log as a part of ours."""

    def setup(self, cfg: Any) -> None:
        """Leave the writing to our own handler, which masks secrets; drop what helps nobody."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        for wanted in (is_informative, without_quotes):
            self.error_log.addFilter(wanted)


class WebApplication(BaseApplication):  # type: ignore[misc]
    """gunicorn's application, configured from our settings instead of its command line."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._backend: Backend | None = None
        super().__init__()

    def load_config(self) -> None:
        """Use one process with many threads and no port; keep connections alive for proxies."""
        control = Path(self.settings.socket_path).with_name(f"web-{self.settings.port}.sock")
        values: dict[str, Any] = {
            "bind": f"unix:{control}",
            "workers": 1,
            "threads": self.settings.threads,
            "worker_connections": ROOMS * self.settings.threads + OTHER_CONNECTIONS,
            "worker_class": PatientWorker,
            "timeout": 0,  # do not kill the process during a long encode
            "graceful_timeout": GRACE_SECONDS + ceil(self.settings.drain_seconds),
            "keepalive": 30,
            "loglevel": "warning",
            "logger_class": Log,
            "control_socket_disable": True,
            "limit_request_line": 2048,
            "umask": OTHERS,  # of the control socket
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> "Flask":
        """Build the application in the worker: CUDA must not be initialized before the fork."""
        from backend.composition import open_backend  # noqa: PLC0415

        self._backend = open_backend(self.settings)
        return self._backend.app

    def drain(self) -> float:
        """Have /health say that this process is about to stop; return for how many seconds."""
        if self._backend is None:  # it has not begun
            return 0.0
        self._backend.draining.set()
        return self.settings.drain_seconds

    def close(self) -> None:
        """Write what waits."""
        if self._backend is not None:
            self._backend.close()


def main() -> None:
    """Serve until stopped."""
    try:
        settings = load()
        check_password(settings)
    except DynamiteError as error:
        sys.exit(f"Error: {error}")
    log_from(**log_options(settings))
    WebApplication(settings).run()


def without_quotes(record: logging.LogRecord) -> bool:
    """Cut off what gunicorn quotes of a request that is no HTTP: a secret or a body may be there.

    Its message is ``Invalid request from ip=127.0.0.1: Invalid chunk size: b'…'``.
    """
    message = record.getMessage()
    if message.startswith("Invalid request from ip="):
        record.msg, record.args = ": ".join(message.split(": ")[:2]), ()
    return True


def is_informative(record: logging.LogRecord) -> bool:
    """Drop gunicorn's lines about a failed start, which the worker has already explained."""
    message = record.getMessage()
    known = ("Shutting down: Master", "Reason: App failed to load.")
    return not (message.startswith(known) or message.endswith(f"exited with code {LOAD_FAILED}."))


if __name__ == "__main__":
    main()
