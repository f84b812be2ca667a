"""The web process: gunicorn with threads, one worker, weights loaded before the port opens.

The launcher runs it as ``python -m backend.launcher.web``, with the settings in the environment.
"""

import gc
import logging
import os
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.errors import AppImportError  # type: ignore[import-untyped]
from gunicorn.sock import TCP6Socket, TCPSocket  # type: ignore[import-untyped]
from gunicorn.workers.gthread import (  # type: ignore[import-untyped]
    TConn,
    ThreadWorker,
)

from backend.launcher.client_socket import BODY_SECONDS, HEAD_SECONDS, ClientSocket, who_gives_way
from backend.logs import log_from
from backend.settings import Settings, load
from dynamite.errors import DynamiteError
from dynamite.lifeline import die_with_parent

if TYPE_CHECKING:
    from flask import Flask

    from backend.composition import Backend

OTHER_CONNECTIONS = 192
"""Connections beyond those that may wait for the model: of browsers, monitoring, slow clients."""

FREE_CONNECTIONS = 8
"""Connections that always stay free for new clients: if fewer are, the slowest gives way."""

COMPLAINT_SECONDS = 60.0
"""Time between two lines of the log about clients that gave way."""

CLOSE_SECONDS = 1.5
"""How long a stopping process may write what waits; the launcher kills it soon after."""

LOAD_FAILED = 4
"""Exit status of a worker that raised ``AppImportError``."""


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """A worker that opens the port when it can answer, and that slow clients cannot stop.

    gunicorn's master would open the port first, and clients would wait for a backend that cannot
    answer yet; Label Studio gives up on /health after one second. gunicorn has one pool of threads
    for working and for waiting; here every connection has a thread, so that a slow client holds up
    only itself. How many requests may work on the model is limited elsewhere.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.clients: list[ClientSocket] = []
        self._complained = -COMPLAINT_SECONDS

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Return a pool with a thread for every connection; they start when they are needed."""
        return ThreadPoolExecutor(self.worker_connections, "request")

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

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection. If few places are left, the slowest client gives way."""
        try:
            accepted, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        self.nr_conns += 1
        self.clients = [client for client in self.clients if client.fileno() >= 0]
        if len(self.clients) >= self.worker_connections - FREE_CONNECTIONS:
            slowest = who_gives_way(self.clients)
            if slowest is not None:
                self._drop(slowest)
        client = ClientSocket(accepted, address[0])
        self.clients.append(client)
        connection = TConn(self.cfg, client, address, listener.getsockname())
        connection.data_ready = True  # do not wait for the first byte in a way of its own
        self.enqueue_req(connection)

    def _drop(self, slowest: ClientSocket) -> None:
        now = time.monotonic()
        if now >= self._complained + COMPLAINT_SECONDS:
            self._complained = now
            words = "%d clients are connected: %s, which has most, loses its slowest connections"
            self.log.warning(words, len(self.clients), slowest.peer)
        slowest.drop()

    def handle(self, conn: TConn) -> object:
        """Handle a request in the time that the client has for sending it.

        Closing waits for the client too, for two seconds: here, not in the only thread that accepts
        connections.
        """
        conn.sock.expect(HEAD_SECONDS)
        keep = super().handle(conn)
        if keep:
            conn.sock.rest()
        else:
            conn.close(graceful=True)
        return keep

    def handle_request(self, req: object, conn: TConn) -> object:
        """Answer a request whose headers are there."""
        conn.sock.expect(BODY_SECONDS)
        return super().handle_request(req, conn)

    def run(self) -> None:
        """Answer requests until stopped, then end the process."""
        super().run()
        closing = threading.Thread(target=self.app.close, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)
        self.end()

    def handle_quit(self, sig: int, frame: object) -> None:  # noqa: ARG002
        """End the process now."""
        self.end()

    def end(self) -> None:
        """End the process without Python's own end, which stops threads amid the model's C++.

        That aborts the process with "FATAL: exception not rethrown".
        """
        logging.shutdown()
        os._exit(0)


class WebApplication(BaseApplication):  # type: ignore[misc]
    """gunicorn's application, configured from our settings instead of its command line."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._backend: Backend | None = None
        super().__init__()

    def load_config(self) -> None:
        """Use one process with many threads and no port; keep connections alive for proxies."""
        control = Path(self.settings.socket_path).with_name("web.sock")
        values: dict[str, Any] = {
            "bind": f"unix:{control}",
            "workers": 1,
            "threads": self.settings.threads,
            "worker_connections": self.settings.threads + OTHER_CONNECTIONS,
            "worker_class": PatientWorker,
            "timeout": 0,  # do not kill the process during a long encode
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

        self._backend = open_backend(self.settings)
        return self._backend.app

    def close(self) -> None:
        """Write what waits."""
        if self._backend is not None:
            self._backend.close()


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
